// Open incidents: loaded once for the filters that are on, then kept up to date by the stream.

import { get, aborted } from '../common/api.js';
import { el, fill, byId } from '../common/dom.js';
import { entryOf, swatch } from '../common/draw.js';
import { moment, number, say, t } from '../common/i18n.js';
import { state, windowOf } from './state.js';
import { windowWords } from './time.js';

const L = window.L;
const MOST = 2000;
const LISTED = 60;

export class OpenIncidents {
  constructor(map, config, choose, onStatus) {
    this.map = map;
    this.config = config;
    this.choose = choose;
    this.onStatus = onStatus;
    this.status = '';
    this.rows = new Map();
    this.markers = new Map();
    map.createPane('incidents').style.zIndex = 450;
    this.renderer = L.canvas({ pane: 'incidents', padding: 0.3 });
    this.group = L.layerGroup();
  }

  get offered() {
    return Boolean(this.style);
  }

  get style() {
    return this.config.incident_style;
  }

  async load() {
    if (!this.style) return;
    this.mark('loading');
    const { since, until } = windowOf(this.config);
    try {
      const answer = await get('/v1/incidents', { only_open: true, limit: MOST, since, until, category: state.category, source: state.source, grid: state.grid }, { kind: 'open' });
      this.rows = new Map(answer.incidents.map((r) => [r.incident_id, r]));
      this.more = Boolean(answer.next_until);
      this.status = 'ready'; // the list says how many only when it knows
      this.redraw();
      this.onStatus();
    } catch (error) {
      if (!aborted(error)) this.mark('failed');
    }
  }

  mark(status) {
    this.status = status;
    this.onStatus();
  }

  redraw() {
    const on = state.on.includes('open');
    this.group.clearLayers();
    this.markers.clear();
    this.group.setOpacity?.(1);
    if (on) {
      this.group.addTo(this.map);
      for (const row of this.rows.values()) this.draw(row);
    } else this.group.remove();
    this.list();
  }

  draw(row, fresh = false) {
    const entry = entryOf(this.style, row);
    const marker = L.circleMarker([row.lat, row.lon], {
      renderer: this.renderer, shape: entry.shape, radius: row.severity && row.severity < 4 ? 8 : 6, fillColor: entry.colour,
      fillOpacity: state.opacity.open ?? 1, opacity: state.opacity.open ?? 1, color: fresh ? '#ffffff' : state.theme === 'dark' ? '#0b1016' : '#ffffff', weight: 1.5, bubblingMouseEvents: false,
    });
    marker.on('click', () => this.choose(row));
    this.markers.set(row.incident_id, marker);
    this.group.addLayer(marker);
    if (fresh) this.pulse(row);
  }

  /** A ring for new incidents, so that the eye finds them; still for those who want no motion. */
  pulse(row) {
    const icon = L.divIcon({ className: 'pulse', iconSize: [44, 44] });
    const ring = L.marker([row.lat, row.lon], { icon, interactive: false, keyboard: false }).addTo(this.map);
    setTimeout(() => ring.remove(), 4000);
  }

  /** A change from the stream. */
  put(row, { fresh }) {
    if (!this.style) return;
    const old = this.rows.get(row.incident_id);
    const marker = this.markers.get(row.incident_id);
    if (marker) {
      this.group.removeLayer(marker);
      this.markers.delete(row.incident_id);
    }
    this.rows.delete(row.incident_id);
    if (row.stage === 'closed' || !this.passes(row)) return;
    this.rows = new Map([[row.incident_id, row], ...this.rows]);
    if (this.rows.size > MOST) this.drop([...this.rows.keys()].pop());
    if (state.on.includes('open')) this.draw(row, fresh && !old);
  }

  drop(id) {
    const marker = this.markers.get(id);
    if (marker) this.group.removeLayer(marker);
    this.markers.delete(id);
    this.rows.delete(id);
  }

  passes(row) {
    return (!state.category.length || state.category.includes(row.category)) && (!state.source.length || state.source.includes(row.source)) && !state.from;
  }

  list() {
    const newest = [...this.rows.values()].sort((a, b) => (a.occurred_at < b.occurred_at ? 1 : -1)).slice(0, LISTED);
    byId('newest-count').textContent = this.status === 'ready' ? `${number(this.rows.size)}${this.more ? '+' : ''}` : '';
    byId('newest-window').textContent = windowWords(); // older ones may be open too
    const items = newest.map((r) => {
      const entry = entryOf(this.style, r);
      return el('li', {}, el('button', { type: 'button', class: 'incident', 'data-id': r.incident_id, onclick: () => this.choose(r, { move: true }) },
        swatch(entry, { geometry: 'point' }), el('span', { class: 'what', text: r.category }), el('span', { class: 'when', text: moment(r.occurred_at, this.config.timezone) }),
        el('span', { class: 'stage', text: say(entry) }), r.address ? el('span', { class: 'where', text: r.address }) : null));
    });
    fill(byId('newest'), items.length ? items : el('li', { class: 'empty', text: t(this.status === 'loading' ? 'loading' : this.status === 'failed' ? 'failed' : this.config.first ? 'noneShown' : 'missing_incidents') }));
  }

  legend() {
    if (!this.style) return null;
    const note = this.more ? el('p', { class: 'note', text: t('capped', { n: number(MOST) }) }) : null;
    const entries = this.style.entries.filter((e) => e.value !== 'closed');
    return el('div', {}, note, el('ul', { class: 'legend' }, entries.map((e) => el('li', {}, swatch(e, { geometry: 'point' }), el('span', { text: say(e) })))));
  }
}
