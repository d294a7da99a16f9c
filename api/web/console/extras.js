// What is not the map itself: the sheet of keys, and the printed picture of what is shown.

import { byId, el, fill, notify } from '../common/dom.js';
import { t } from '../common/i18n.js';
import { aborted, file } from '../common/api.js';
import { ORDER } from './layers.js';
import { join, state, windowOf } from './state.js';

const place = (name) => ORDER.indexOf(ORDER.includes(name) ? name : 'others'); // as on the screen, from bottom to top
const SHEETS = ['people', 'hazards', 'facilities'];

/** Keys, mouse and what the search box understands. */
export function help(commands) {
  const rows = commands.map(([key, text]) => el('tr', {}, el('th', { scope: 'row' }, el('kbd', { text: key })), el('td', { text: t(text) })));
  const list = (title, keys) => [el('h3', { text: t(title) }), el('ul', {}, keys.map((k) => el('li', { text: t(k) })))];
  fill(byId('help-body'), el('h3', { text: t('helpKeys') }), el('table', {}, el('tbody', {}, rows)), ...list('helpMouse', ['mClick', 'mWheel', 'mMap']), ...list('helpSearch', ['sGrid', 'sPlace']));
  byId('help').showModal();
}

/** The server draws the view: the layers that are on, in the box of the map. */
export async function printed(form, { map, config }) {
  const b = map.getBounds();
  const bbox = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((v) => v.toFixed(6)).join(',');
  const shaded = config.indicators.some((i) => i.name === state.shade);
  const analysed = Boolean(config.analyses[state.shade]);
  const on = state.on.flatMap((n) => (n === 'blind' ? ['blind_roads', 'blind_places'] : [n])).filter((n) => n !== 'basemap' && (n === 'open' || config.layers[n] || config.groups[n]));
  const names = [...(state.on.includes('basemap') ? ['basemap'] : []), ...(shaded || analysed ? [config.finest] : []), ...on.sort((a, b) => place(a) - place(b))];
  const { since, until } = windowOf(config);
  const query = {
    map: SHEETS.includes(state.preset) ? state.preset : SHEETS[1], bbox, layers: [...new Set(names)].join(',') || 'borders', title: `${config.name} · ${t(state.preset)}`, lang: state.lang,
    ...(shaded ? { indicator: state.shade } : analysed ? { shade: state.shade } : {}),
    since, until, category: join(state.category), source: join(state.source), camera: join(state.camera), grid: state.grid, as_of: state.asOf,
  };
  notify(t('printing'), { keep: true });
  try {
    const at = URL.createObjectURL(await file(`/v1/print.${form}`, query));
    el('a', { href: at, download: `santu-${state.preset}.${form}` }).click();
    setTimeout(() => URL.revokeObjectURL(at), 10_000);
    notify('');
  } catch (error) {
    if (!aborted(error)) notify(`${t('failed')}: ${error.message}`, { error: true });
  }
}
