// The situation card: one request, every part with words, nearest first.

import { get, aborted } from '../common/api.js';
import { el, fill, byId, notify } from '../common/dom.js';
import { entryOf, swatch } from '../common/draw.js';
import { duration, lang, moment, number, say, t } from '../common/i18n.js';
import { change, state } from './state.js';

const L = window.L;

export class Card {
  constructor(map, config) {
    this.map = map;
    this.config = config;
    this.marks = L.layerGroup().addTo(map);
    this.box = byId('card');
  }

  /** Show a place: {lon, lat} or {incident} or {camera} or {grid}; `extra` is what is known of it already. */
  async show(asked, extra = {}) {
    this.asked = [asked, extra];
    this.open();
    fill(byId('card-body'), el('p', { class: 'empty', role: 'status', text: t('loading') }));
    try {
      const card = await get('/v1/situation', asked, { kind: 'situation' });
      this.render(card, extra);
      return card;
    } catch (error) {
      if (aborted(error)) return null;
      const again = el('button', { type: 'button', text: t('retry'), onclick: () => this.show(asked, extra) });
      fill(byId('card-body'), el('p', { class: 'empty bad', role: 'alert', text: error.message }), again);
      return null;
    }
  }

  again() {
    if (!this.box.hidden && this.asked) this.show(...this.asked);
  }

  open() {
    this.box.hidden = false;
    document.body.classList.add('with-card');
  }

  close() {
    this.box.hidden = true;
    document.body.classList.remove('with-card');
    this.marks.clearLayers();
    change({ at: '' });
  }

  render(card, extra) {
    const { lon, lat } = card.place;
    extra = { ...extra, ...card.place.address };
    change({ at: `${lon.toFixed(6)},${lat.toFixed(6)}` });
    this.draw(card, extra);
    const base = card.grids.filter((g) => g.level >= 3).pop();
    const only = base && state.grid !== base.grid_id
      ? el('button', { type: 'button', text: t('onlyGrid'), onclick: () => { (this.config.names ||= {})[base.grid_id] = base.name; change({ grid: base.grid_id }); } }) : null;
    const copy = el('button', { type: 'button', text: t('copy'), onclick: () => this.copy() });
    fill(byId('card-body'),
      el('p', { class: 'where' }, el('strong', { text: extra.title || card.place.name || (base ? base.name : t('outside')) }), el('span', { class: 'mono', text: `${lon.toFixed(6)}, ${lat.toFixed(6)}` }), extra.note ? el('span', { class: 'dim', text: extra.note }) : null),
      this.faults(extra), this.incident(card), this.chain(card), this.cameras(card), this.analyses(card), this.open_(card), this.facilities(card),
      el('div', { class: 'actions' }, only, copy));
    byId('card-body').scrollTop = 0;
  }

  async copy() {
    await navigator.clipboard?.writeText(location.href).catch(() => {});
    notify(t('copied'));
  }

  section(title, note, ...children) {
    return el('section', {}, el('h3', {}, title, note ? el('small', { text: note }) : null), ...children);
  }

  faults(extra) {
    const notes = [extra.radius_m > 30 ? t('uncertain', { n: number(extra.radius_m) }) : null, ...(extra.faults || []).map(([code, detail]) => [lang() === 'zh' ? this.config.faults[code] || code : code.toLowerCase().replace('.', ': ').replaceAll('_', ' '), detail].filter(Boolean).join('：'))].filter(Boolean);
    if (!notes.length) return null;
    return this.section(t('faults'), '', el('ul', { class: 'plain warn' }, notes.map((n) => el('li', { text: `⚠ ${n}` }))));
  }

  incident(card) {
    const row = card.place.incident;
    if (!row) return null;
    const stage = entryOf(this.config.incident_style, row);
    return this.section(row.category, moment(row.occurred_at, this.config.timezone),
      el('p', { class: 'line' }, swatch(stage, { geometry: 'point' }), el('span', { text: say(stage) }), row.address ? el('span', { class: 'dim', text: row.address }) : null));
  }

  chain(card) {
    if (!card.grids.length) return this.section(t('chain'), '', el('p', { class: 'empty', text: t('outside') }));
    return this.section(t('chain'), '', el('ol', { class: 'chain' }, card.grids.map((g) => el('li', {},
      el('span', { text: g.name || g.grid_id }), el('span', { class: 'mono dim', text: g.grid_id }), g.staff_post ? el('span', { class: 'dim', text: g.staff_post }) : null))));
  }

  cameras(card) {
    const { total, working, unjudged, seen_by: rows } = card.cameras;
    const notes = [total ? t('working', { a: number(total), b: number(working) }) : '', unjudged ? t('unjudged', { n: number(unjudged) }) : ''].filter(Boolean).join(' · ');
    const style = this.config.layers.cameras?.style;
    const list = rows.map((c) => {
      const entry = style ? entryOf(style, c) : null;
      const level = c.image_level ? t(c.image_level) : t('unknownLevel');
      return el('li', {}, el('button', { type: 'button', class: 'row', onclick: () => this.map.panTo([c.lat, c.lon]) },
        entry ? swatch(entry, { geometry: 'point' }) : null,
        el('span', { class: 'name', text: c.name || c.camera_id }), el('span', { class: 'num', text: `${number(c.distance_m)} m` }),
        el('span', { class: 'dim', text: `${entry ? say(entry) : c.state} · ${level}${c.px_per_m === null ? '' : ` (${number(c.px_per_m)} px/m)`}${c.defaults ? ` · ${t('defaults')}` : ''}` })));
    });
    return this.section(t('seenBy'), notes, list.length ? el('ul', { class: 'plain' }, list) : el('p', { class: 'empty', text: t('seenNone') }));
  }

  analyses(card) {
    const risk = card.risk;
    if (!risk) return this.section(t('risk'), '', el('p', { class: 'empty', text: t('noRisk') }));
    const entry = this.config.risk.find((e) => e.value === risk.level);
    const why = risk.why.filter((w) => w.contribution > 0).slice(0, 3).map((w) => el('li', { class: 'row still' },
      el('span', { text: '+' }), el('span', { class: 'name', text: lang() === 'zh' ? w.zh : t(`risk_${w.factor}`) }), el('span', { class: 'num', text: number(w.contribution, 1) }),
      el('span', { class: 'dim', text: `${number(w.value, 2)} ${lang() === 'zh' ? w.unit : t(`unit_${w.unit}`)} · ${t('peers')} ${number(w.peer_median, 2)}` })));
    return this.section(t('risk'), `${t('asOfDay')} ${risk.until}`,
      el('p', { class: 'line' }, swatch(entry, { geometry: 'point' }), el('strong', { text: say(entry) }), el('span', { text: t('score', { n: number(risk.score, 1) }) })),
      el('ul', { class: 'plain' }, why));
  }

  open_(card) {
    const style = this.config.incident_style;
    const incidents = card.incidents.rows.map((r) => el('li', {}, el('button', { type: 'button', class: 'row', onclick: () => this.show({ incident: r.incident_id }) },
      style ? swatch(entryOf(style, r), { geometry: 'point' }) : null, el('span', { class: 'name', text: r.category }), el('span', { class: 'num', text: `${number(r.distance_m)} m` }),
      el('span', { class: 'dim', text: `${moment(r.occurred_at, this.config.timezone)} · ${style ? say(entryOf(style, r)) : r.stage || ''}` }))));
    const hazardStyle = this.config.layers.hazards?.style;
    const hazards = card.hazards.rows.map((h) => {
      const entry = hazardStyle ? entryOf(hazardStyle, { level: h.level ?? 0 }) : null;
      const late = h.due_at && this.config.latest && h.due_at < this.config.latest;
      return el('li', { class: 'row still' }, entry ? swatch(entry, { geometry: 'point' }) : null, el('span', { class: 'name', text: h.name || this.word('hazards', 'kind', h.kind) }), el('span', { class: 'num', text: `${number(h.distance_m)} m` }),
        el('span', { class: late ? 'late' : 'dim', text: `${entry ? say(entry) : ''}${h.due_at ? ` · ${late ? `⚠ ${t('overdue')}` : t('due')} ${moment(h.due_at, this.config.timezone)}` : ''}` }));
    });
    const part = (title, data, list) => this.section(title, data.total > list.length ? t('more', { n: number(data.total), m: number(list.length) }) : `${t('around', { n: number(card.near_m) })} · ${number(data.total)}`,
      list.length ? el('ul', { class: 'plain' }, list) : el('p', { class: 'empty', text: t('zero') }));
    return [part(t('openIncidents'), card.incidents, incidents), part(t('openHazards'), card.hazards, hazards)];
  }

  facilities(card) {
    if (!card.facilities.length) return this.section(t('nearest'), '', el('p', { class: 'empty', text: t('noFacilities') }));
    const layer = this.config.layers.facilities;
    const list = card.facilities.filter((f) => f.kind !== 'poi').map((f) => {
      const entry = layer ? entryOf(layer.style, f) : null;
      const bad = f.state && f.state !== 'ok' ? this.word('facilities', 'state', f.state) : '';
      return el('li', {}, el('button', { type: 'button', class: 'row', onclick: () => this.map.panTo([f.lat, f.lon]) }, entry ? swatch(entry, { geometry: 'point' }) : null,
        el('span', { class: 'name', text: f.name || say(entry) }), el('span', { class: 'num', text: f.drive_s === null ? t('noRoad') : duration(f.drive_s) }),
        el('span', { class: bad ? 'late' : 'dim', text: `${say(entry)} · ${number(f.distance_m)} m${bad ? ` · ⚠ ${bad}` : ''}` })));
    });
    return this.section(t('nearest'), '', el('ul', { class: 'plain' }, list));
  }

  /** A data word in the language of the page: the catalogue's in Chinese, the code itself in English. */
  word(layer, column, code) {
    return (lang() === 'zh' && this.config.layers[layer]?.words[column]?.[code]) || String(code).replaceAll('_', ' ');
  }

  /** The place, its uncertainty, and a line to each camera that sees it; dashed where it is not online. */
  draw(card, extra) {
    const { lon, lat } = card.place;
    this.marks.clearLayers();
    const dark = state.theme === 'dark';
    const line = dark ? '#ffd34d' : '#08306b';
    for (const c of card.cameras.seen_by) {
      L.polyline([[c.lat, c.lon], [lat, lon]], { color: line, weight: 2, opacity: 0.8, dashArray: c.state === 'on' ? null : '4 6', interactive: false }).addTo(this.marks);
    }
    if (extra.radius_m > 10) L.circle([lat, lon], { radius: extra.radius_m, color: line, weight: 1.5, fillOpacity: 0.08, interactive: false }).addTo(this.marks);
    L.circleMarker([lat, lon], { radius: 9, color: line, weight: 3, fill: false, interactive: false }).addTo(this.marks);
    L.circleMarker([lat, lon], { radius: 2, color: line, weight: 2, fillOpacity: 1, interactive: false }).addTo(this.marks);
  }
}
