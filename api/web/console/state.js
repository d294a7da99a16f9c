// What is on the screen, as one plain object; the address of the page holds it, so that a link shows the same.

export const PRESETS = {
  people: { shade: 'service_workload', on: ['basemap', 'borders', 'grid_labels'] },
  hazards: { shade: 'open_hazards', on: ['basemap', 'borders', 'hazards'] },
  facilities: { shade: 'faulty_facilities', on: ['basemap', 'borders', 'facilities'] },
  incidents: { shade: 'hotspots', on: ['basemap', 'borders', 'incidents', 'open'] },
  video: { shade: 'ground_covered', on: ['basemap', 'borders', 'cameras', 'targets', 'blind'] },
};

const LISTS = ['category', 'source', 'camera'];
const listeners = new Set();
export const state = {
  preset: 'incidents', on: [], shade: '', opacity: {}, theme: 'light', lang: 'zh', view: null,
  category: [], source: [], camera: [], grid: '', days: 28, step: 'day', from: '', asOf: '', panel: true, at: '',
};

/** Values that may hold commas themselves, in one text; `\` stands before such a comma. */
export const join = (values) => values.map((v) => v.replace(/[\\,]/g, '\\$&')).join(',');
export const split = (text) => (text.match(/(?:\\.|[^,\\])+/gs) || []).map((v) => v.replace(/\\(.)/gs, '$1'));

export function onChange(listener) {
  listeners.add(listener);
}

/** Change some of it; listeners learn which names changed. */
export function change(values) {
  const changed = new Set();
  for (const [name, value] of Object.entries(values)) {
    if (JSON.stringify(state[name]) !== JSON.stringify(value)) {
      state[name] = value;
      changed.add(name);
    }
  }
  if (!changed.size) return;
  write();
  for (const listener of listeners) listener(changed);
}

export function preset(name) {
  const chosen = PRESETS[name];
  if (chosen) change({ preset: name, on: [...chosen.on], shade: chosen.shade });
}

export function read(defaults) {
  Object.assign(state, defaults);
  Object.assign(state, { on: [...PRESETS[state.preset].on], shade: PRESETS[state.preset].shade });
  const asked = new URLSearchParams(location.hash.slice(1));
  const name = asked.get('p');
  if (PRESETS[name]) Object.assign(state, { preset: name, on: [...PRESETS[name].on], shade: PRESETS[name].shade });
  if (asked.has('on')) state.on = asked.get('on').split(',').filter(Boolean);
  for (const key of ['shade', 'theme', 'lang', 'grid', 'step', 'from', 'asOf', 'at']) if (asked.has(key)) state[key] = asked.get(key);
  if (asked.has('days')) state.days = Number(asked.get('days')) || 0;
  if (asked.has('panel')) state.panel = asked.get('panel') !== '0';
  for (const key of LISTS) if (asked.has(key)) state[key] = split(asked.get(key));
  for (const part of (asked.get('op') || '').split(',').filter(Boolean)) {
    const [layer, value] = part.split(':');
    state.opacity[layer] = Math.min(Math.max(Number(value) || 0, 0), 1);
  }
  const view = (asked.get('m') || '').split('/').map(Number);
  if (view.length === 3 && view.every(Number.isFinite)) state.view = view;
}

function write() {
  const out = new URLSearchParams();
  if (state.view) out.set('m', `${Number(state.view[0].toFixed(2))}/${state.view[1].toFixed(5)}/${state.view[2].toFixed(5)}`);
  out.set('p', state.preset);
  out.set('on', state.on.join(','));
  for (const key of ['shade', 'theme', 'lang', 'grid', 'from', 'asOf', 'at']) if (state[key] || key === 'shade') out.set(key, state[key]);
  out.set('days', state.days);
  if (state.step !== 'day') out.set('step', state.step);
  if (!state.panel) out.set('panel', '0');
  for (const key of LISTS) if (state[key].length) out.set(key, join(state[key]));
  const opacity = Object.entries(state.opacity).map(([k, v]) => `${k}:${v}`).join(',');
  if (opacity) out.set('op', opacity);
  history.replaceState(null, '', `#${out.toString().replaceAll('%2C', ',').replaceAll('%2F', '/').replaceAll('%3A', ':')}`);
}

/** The window of time that is on: the slider's step, or the last days of the data. */
export function windowOf(config) {
  if (state.from) {
    const end = new Date(`${state.from}T00:00:00Z`);
    end.setUTCDate(end.getUTCDate() + (state.step === 'week' ? 7 : 1));
    const until = end.toISOString().slice(0, 10);
    return { since: state.from, until, last: new Date(end - 86400e3).toISOString().slice(0, 10) };
  }
  if (!state.days || !config.latest) return { since: '', until: '' };
  return { since: new Date(Date.parse(config.latest) - state.days * 86400e3).toISOString().slice(0, 19) + 'Z', until: '' };
}
