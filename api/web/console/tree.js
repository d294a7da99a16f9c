// The panel on the left: layers with legend and opacity, grid shading, filters.

import { el, fill, byId } from '../common/dom.js';
import { baseColour, densityColour, marks, swatch, themed } from '../common/draw.js';
import { number, say, t } from '../common/i18n.js';
import { change, state } from './state.js';

const GROUPS = [
  ['ground', ['basemap', 'borders', 'grid_labels', 'micro_grids']],
  ['incidents', ['open', 'incidents']],
  ['points', ['hazards', 'facilities', 'cameras', 'targets', 'blind']],
];
const NAMED = { basemap: 'basemap', borders: 'borders', grid_labels: 'grid_labels', micro_grids: 'micro_grids', incidents: 'density', open: 'open', blind: 'blind' };

export class Tree {
  constructor(config, layers, own) {
    this.config = config;
    this.layers = layers;
    this.own = own; // layers that are no tiles, by name: status, load(), legend()
  }

  title(name) {
    return NAMED[name] ? t(NAMED[name]) : say(this.config.layers[name]);
  }

  render() {
    const focus = document.activeElement?.id;
    const placed = [...GROUPS.flatMap(([, names]) => names), ...Object.values(this.config.groups).flat(), this.config.finest];
    const others = Object.keys(this.config.layers).filter((n) => !placed.includes(n));
    const groups = [...GROUPS, ['analysis', others]].map(([title, names]) => this.group(title, names.filter((n) => this.own[n]?.offered || this.layers.has(n))));
    fill(byId('tree'), this.shading(), groups);
    this.filters();
    if (focus) byId(focus)?.focus();
  }

  group(title, names) {
    if (!names.length) return null;
    return el('section', { class: 'group', 'aria-label': t(title) }, el('h2', { text: t(title) }), names.map((n) => this.row(n)));
  }

  row(name) {
    const on = state.on.includes(name);
    const status = this.own[name] ? this.own[name].status : this.layers.status.get(name);
    const box = el('input', { type: 'checkbox', id: `layer-${name}`, checked: on, onchange: () => this.toggle(name, !on) });
    const head = el('label', { class: 'head', for: `layer-${name}` }, box, el('span', { class: 'name', text: this.title(name) }), on ? this.badge(name, status) : null);
    return el('div', { class: on ? 'layer on' : 'layer' }, head, on ? [this.slider(name), this.legend(name)] : null);
  }

  badge(name, status) {
    if (status === 'loading') return el('span', { class: 'badge busy', role: 'status', text: t('loading') });
    if (status !== 'failed') return null;
    const again = () => (this.own[name] ? this.own[name].load() : this.layers.retry(name));
    return el('button', { type: 'button', class: 'badge bad', text: `! ${t('failed')} · ${t('retry')}`, onclick: again });
  }

  slider(name) {
    const value = state.opacity[name] ?? 1;
    const set = (e) => change({ opacity: { ...state.opacity, [name]: Number(e.target.value) } });
    return el('input', { type: 'range', class: 'opacity', id: `opacity-${name}`, min: '0.1', max: '1', step: '0.1', value: String(value), 'aria-label': `${this.title(name)} ${t('opacity')}`, oninput: set });
  }

  toggle(name, on) {
    change({ on: on ? [...state.on, name] : state.on.filter((n) => n !== name) });
  }

  legend(name) {
    if (this.own[name]) return this.own[name].legend();
    const members = this.layers.members(name);
    if (['basemap', 'borders', 'grid_labels', 'micro_grids'].includes(name)) {
      return this.entries(members.map((m) => {
        const entry = m.style.entries[m.style.entries.length - 1];
        return [{ ...entry, zh: m.zh, en: m.en, colour: baseColour(m, { rank: 2 }, entry.colour) }, m];
      }));
    }
    const [layer] = members;
    const density = { ...layer, crowd: 'density-legend' };
    const lines = layer.crowd === 'density' ? layer.density.map((e) => [{ ...e, colour: densityColour(e) }, density]) : this.used(layer).map((e) => [e, layer]);
    if (layer.crowd === 'density' && this.layers.dotted.has(name)) lines.splice(0, lines.length, ...this.used(layer).map((e) => [e, layer])); // near enough for single points
    const uncounted = { ...layer, counts: null }; // what is counted are the values, and a mark has the same numbers
    const rings = marks(layer.style).map((e) => [{ ...e, ring: e.colour, colour: '', shape: layer.geometry === 'polygon' ? e.shape : 'circle' }, uncounted]);
    const clusters = layer.crowd === 'cluster'
      ? [[{ zh: t('cluster'), en: t('cluster'), colour: '#4a6f8c', shape: 'circle' }, layer], [{ zh: t('badInside'), en: t('badInside'), colour: '', ring: '#ff4d3d', shape: 'circle' }, layer]] : [];
    return this.entries([...lines, ...rings, ...clusters]);
  }

  used(layer) {
    return layer.counts ? layer.style.entries.filter((e) => layer.counts[e.value]) : layer.style.entries;
  }

  entries(pairs) {
    return el('ul', { class: 'legend' }, pairs.map(([e, layer]) => el('li', {}, swatch(e, layer), el('span', { text: say(e) }),
      layer.counts?.[e.value] ? el('span', { class: 'count', text: number(layer.counts[e.value]) }) : null)));
  }

  shading() {
    const names = ['', ...Object.keys(this.config.analyses), ...this.config.indicators.map((i) => i.name)];
    const words = (n) => (n === '' ? t('none') : say(this.config.analyses[n] || this.config.indicators.find((i) => i.name === n)));
    const select = el('select', { id: 'shade', onchange: (e) => change({ shade: e.target.value }) },
      names.map((n) => el('option', { value: n, text: words(n), selected: n === state.shade })));
    const status = this.layers.status.get('shade');
    const legend = state.shade && this.layers.legend
      ? [this.slider('shade'), this.entries(themed(this.layers.legend.style).entries.map((e) => [e, { geometry: 'polygon', counts: this.layers.legend.counts, opacity: this.layers.legend.style.opacity }])), this.nothing()] : null;
    return el('section', { class: 'group', 'aria-label': t('shading') },
      el('h2', {}, el('label', { for: 'shade', text: t('shading') }), state.shade ? this.badge('shade', status) : null), select, legend);
  }

  /** An analysis that marks no grid says so: an unmarked map is an answer too. */
  nothing() {
    const { counts } = this.layers.legend;
    return counts && !Object.keys(counts).length ? el('p', { class: 'note', text: t('nothingMarked') }) : null;
  }

  filters() {
    const c = this.config;
    const windows = [[1, 1], [7, 7], [28, 28], [90, 90], [0, 0]];
    const days = el('select', { id: 'days', onchange: (e) => change({ days: Number(e.target.value), from: '' }) },
      state.from ? el('option', { value: String(state.days), text: `${t('custom')} ${state.from}`, selected: true }) : null,
      windows.map(([v, n]) => el('option', { value: String(v), text: v ? t('days', { n }) : t('all'), selected: !state.from && v === state.days })));
    const within = state.grid
      ? el('button', { type: 'button', class: 'chip', id: 'clear-grid', text: `${this.config.names?.[state.grid] || state.grid} ✕`, 'aria-label': `${t('subtree')} ${state.grid}: ${t('clear')}`, onclick: () => change({ grid: '' }) })
      : el('span', { id: 'within', text: say(c.seen) });
    const date = el('input', { type: 'date', id: 'as-of', value: state.asOf, max: c.today, onchange: (e) => change({ asOf: e.target.value }) });
    const rows = [
      [t('subtree'), within, null],
      [t('window'), days, 'days'],
      [t('category'), this.ticks('category', c.categories.map((v) => [v, v])), null],
      [t('source'), this.ticks('source', c.sources.map((s) => [s.value, say(s)])), null],
      c.layers.cameras ? [t('state'), this.ticks('camera', this.used(c.layers.cameras).map((e) => [e.value, say(e)])), null] : null,
      c.history ? [t('asOf'), date, 'as-of'] : null,
    ].filter(Boolean);
    fill(byId('filters'), el('h2', { text: t('filters') }), rows.map(([name, control, target]) =>
      el('div', { class: 'field' }, target ? el('label', { for: target, text: name }) : el('span', { class: 'label', text: name }), control)));
  }

  ticks(key, values) {
    const flip = (v) => change({ [key]: state[key].includes(v) ? state[key].filter((x) => x !== v) : [...state[key], v] });
    return el('div', { class: 'ticks', role: 'group', 'aria-label': t(key === 'camera' ? 'state' : key) },
      el('button', { type: 'button', id: `${key}-all`, 'aria-pressed': String(!state[key].length), text: t('all'), onclick: () => change({ [key]: [] }) }),
      values.map(([v, text], i) => el('button', { type: 'button', id: `${key}-${i}`, 'aria-pressed': String(state[key].includes(v)), text, onclick: () => flip(v) })));
  }
}
