// What is not the map itself: the sheet of keys, and the printed picture of what is shown.

import { byId, el, fill, notify } from '../common/dom.js';
import { t } from '../common/i18n.js';
import { aborted, file } from '../common/api.js';
import { state } from './state.js';

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
  const names = ['basemap', ...(shaded ? [config.finest] : []), ...state.on.filter((n) => n !== 'basemap' && (config.layers[n] || config.groups[n]))];
  const query = { map: SHEETS.includes(state.preset) ? state.preset : SHEETS[1], bbox, layers: [...new Set(names)].join(','), title: `${config.name} · ${t(state.preset)}`, ...(shaded ? { indicator: state.shade } : {}) };
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
