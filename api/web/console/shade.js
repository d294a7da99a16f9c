// What the grids are coloured by: an indicator of the registry, or an analysis with its own answer per grid.

import { get } from '../common/api.js';
import { WORDS } from '../common/words.js';
import { state, windowOf } from './state.js';

const NONE = { value: -1, zh: WORDS.zero[0], en: WORDS.zero[1], colour: '#eeeeee', shape: 'fill' };
const made = new Map();
let round = 0;

/** What was answered is out of date. */
export const forget = () => { made.clear(); round += 1; };

/** Style and values: {style, indicator | values, version}. */
export async function shadeFor(name, config) {
  const analysis = config.analyses[name];
  if (analysis) return analysed(name, analysis, config);
  const params = { indicator: name };
  if (state.asOf) params.as_of = state.asOf;
  const info = await get(`/tiles/${config.finest}.json`, params, { kind: 'shade' });
  return { style: info.santu.style, indicator: name, version: info.tiles[0].split('v=').pop() };
}

async function analysed(name, analysis, config) {
  const params = { ...analysis.params };
  if (analysis.until && state.from) params[analysis.until] = windowOf(config).last;
  if (analysis.category && state.category.length === 1) [params[analysis.category]] = state.category;
  const key = `${analysis.path}|${JSON.stringify(params)}`;
  if (!made.has(key)) {
    const answer = await get(analysis.path, params, { kind: 'shade' });
    made.set(key, answer);
    if (made.size > 40) made.delete(made.keys().next().value);
  }
  const rows = made.get(key)[analysis.rows];
  const values = new Map();
  const counts = {};
  for (const [id, row] of Array.isArray(rows) ? rows.map((r) => [r[analysis.id], r]) : Object.entries(rows)) {
    const value = analysis.of ? row[analysis.value] / row[analysis.of] : row[analysis.value];
    const rank = analysis.ranks.findIndex((r) => (r.from === undefined ? r.value === value : value !== null && value >= r.from && (r.to === undefined || value < r.to)));
    if (rank < 0) continue;
    values.set(id, rank);
    counts[rank] = (counts[rank] || 0) + 1;
  }
  const entries = [NONE, ...analysis.ranks.map((r, i) => ({ value: i, zh: r.zh, en: r.en, colour: r.colour, shape: 'fill' }))];
  return { style: { by: 'rank', fixed: analysis.fixed, entries, mark: null, opacity: 0.6, weight: 0.8, radius: 6, label: '' }, values, counts, version: `${key}|${made.get(key).until || ''}|${round}` };
}
