// One box for grids, addresses, cameras and coordinates, with type-ahead and keys.

import { get, aborted, Failure } from './api.js';
import { el, fill, byId, notify } from './dom.js';
import { t } from './i18n.js';

const SLOW_MS = 250;
const DATUMS = { wgs84: 'WGS-84', cgcs2000: 'CGCS2000', gcj02: 'GCJ-02', bd09: 'BD-09' };

export class Search {
  constructor(config, go) {
    this.config = config;
    this.go = go;
    this.rows = [];
    this.at = -1;
    this.turn = 0;
    this.input = byId('search');
    this.list = byId('found');
    this.input.addEventListener('input', (e) => { if (!e.isComposing) this.soon(); });
    this.input.addEventListener('compositionend', () => this.soon());
    this.input.addEventListener('keydown', (e) => this.key(e));
    this.input.addEventListener('blur', () => setTimeout(() => { if (document.activeElement !== this.input) this.close(); }, 150));
    byId('search-form').addEventListener('submit', (e) => { e.preventDefault(); this.submit(); });
  }

  words() {
    this.input.placeholder = t('search');
    this.input.setAttribute('aria-label', t('search'));
  }

  soon() {
    clearTimeout(this.timer);
    const text = this.input.value.trim();
    if (!text) return this.close();
    this.timer = setTimeout(() => this.ask(text), 120);
    return undefined;
  }

  async ask(text) {
    this.turn += 1;
    const mine = this.turn;
    const waiting = setTimeout(() => { if (mine === this.turn) this.busy(); }, SLOW_MS);
    const parts = await Promise.allSettled([coordinates(text), this.cameras(text), this.grids(text), this.addresses(text)]);
    clearTimeout(waiting);
    if (mine !== this.turn) return [];
    const failed = parts.find((p) => p.status === 'rejected');
    if (failed) notify(`${t('failed')}: ${failed.reason.message}`, { error: true });
    this.show(parts.flatMap((p) => p.value || []));
    return this.rows;
  }

  async grids(text) {
    const rows = await quiet(get('/maps/search', { q: text, limit: 6 }, { kind: 'search-grid' }));
    return (rows || []).map((g) => ({ kind: 'grid', title: g.name || g.grid_id, note: [g.grid_id, g.parent].filter(Boolean).join(' · '), asked: { grid: g.grid_id }, bbox: g.bbox, extra: { title: g.name } }));
  }

  async cameras(text) {
    if (!this.config.layers.cameras || text.length < 2) return [];
    const rows = await quiet(get('/maps/search/cameras', { q: text, limit: 5 }, { kind: 'search-camera' }));
    return (rows || []).map((c) => ({ kind: 'camera', title: c.name || c.camera_id, note: c.camera_id, asked: { camera: c.camera_id }, at: c, extra: { title: c.name } }));
  }

  async addresses(text) {
    if (!this.config.address || !/[\u4e00-\u9fff]/.test(text)) return [];
    if (/\d|号|栋|幢|室/.test(text)) return this.resolve(text, { all: true });
    const answer = await quiet(get('/v1/addresses/suggest', { q: text, limit: 6 }, { kind: 'search-address' }));
    const rows = (answer?.suggestions || []).map((a) => ({ kind: 'address', title: a.text, note: t('address'), asked: { lon: a.lon, lat: a.lat }, extra: { title: a.text } }));
    return rows.length ? rows : this.resolve(text, { all: true });
  }

  /** What was typed and not chosen: the address engine's best, or a choice of several. */
  async submit() {
    const text = this.input.value.trim();
    if (!text) return;
    clearTimeout(this.timer);
    if (this.at >= 0 && !this.list.hidden) { this.pick(this.rows[this.at]); return; }
    const rows = await this.ask(text);
    if (this.input.value.trim() !== text) return; // something else is being asked by now
    const same = (value) => String(value || '').toLowerCase() === text.toLowerCase();
    const sure = rows.find((r) => r.kind === 'place' || (r.kind !== 'address' && (same(r.title) || same(r.asked[r.kind]))));
    if (sure) { this.pick(sure); return; }
    const found = await this.resolve(text);
    if (found.length === 1) this.pick(found[0]);
    else if (found.length > 1) this.show(found);
    else if (rows.length) this.pick(rows[0]);
  }

  /** The address engine's answer: its one place where it is sure, else its candidates. */
  async resolve(text, { all = false } = {}) {
    if (!this.config.address) return [];
    const answer = await quiet(get('/v1/locate', { address: text }, { kind: 'resolve' }));
    if (!answer || !answer.candidates) return [];
    const rows = answer.candidates.filter((c) => c.confidence >= 0.05 * answer.candidates[0].confidence).map((c) => ({
      kind: 'address', title: c.standard, note: `${Math.round(c.confidence * 100)} % · ±${Math.round(c.radius_m)} m`, at: c, asked: { lon: c.lon, lat: c.lat }, extra: { title: c.standard, radius_m: c.radius_m, faults: c.faults },
    }));
    return answer.status === 'unique' && !all ? rows.slice(0, 1) : rows.slice(0, 6);
  }

  pick(row) {
    this.close();
    this.input.value = row.title;
    this.go(row);
  }

  /** The answer takes a moment: say so in the place where it will stand. */
  busy() {
    this.rows = [];
    this.at = -1;
    this.open(el('li', { role: 'option', 'aria-disabled': 'true', class: 'empty busy', text: t('searching') }));
  }

  show(rows) {
    this.rows = rows;
    this.at = -1;
    const items = rows.map((r, i) => el('li', { role: 'option', id: `found-${i}`, onmousedown: (e) => { e.preventDefault(); this.pick(r); } },
      el('span', { class: 'kind', text: t(r.kind) }), el('span', { text: r.title }), el('small', { text: r.note })));
    this.open(items.length ? items : el('li', { role: 'option', 'aria-disabled': 'true', class: 'empty', text: t('notFound') }));
  }

  open(items) {
    fill(this.list, items);
    this.list.hidden = false;
    this.input.setAttribute('aria-expanded', 'true');
    this.input.removeAttribute('aria-activedescendant');
  }

  close() {
    clearTimeout(this.timer);
    this.turn += 1; // an answer that is still on its way opens nothing
    this.list.hidden = true;
    this.input.setAttribute('aria-expanded', 'false');
    this.input.removeAttribute('aria-activedescendant');
  }

  key(e) {
    if (e.key === 'Escape') { e.stopPropagation(); this.close(); this.input.blur(); return; }
    if (!['ArrowDown', 'ArrowUp'].includes(e.key) || !this.rows.length) return;
    e.preventDefault();
    const n = this.rows.length;
    this.at = (this.at + (e.key === 'ArrowDown' ? 1 : -1) + n) % n;
    [...this.list.children].forEach((li, i) => li.setAttribute('aria-selected', String(i === this.at)));
    this.list.children[this.at].scrollIntoView({ block: 'nearest' });
    this.input.setAttribute('aria-activedescendant', `found-${this.at}`);
  }
}

/** "118.05, 36.81", in any order that can only be meant one way, with an optional datum: gcj02, bd09, wgs84. */
export function coordinates(text) {
  const match = /^\s*(-?\d+(?:\.\d+)?)\s*[,，\s]\s*(-?\d+(?:\.\d+)?)\s*(wgs-?84|cgcs-?2000|gcj-?02|bd-?09)?\s*$/i.exec(text);
  if (!match) return [];
  let [lon, lat] = [Number(match[1]), Number(match[2])];
  if (Math.abs(lat) > 90 && Math.abs(lon) <= 90) [lon, lat] = [lat, lon];
  if (Math.abs(lat) > 90 || Math.abs(lon) > 180) return [];
  const given = match[3]?.toLowerCase().replace('-', '');
  return (given ? [given] : ['cgcs2000', 'gcj02', 'bd09']).map((crs) => ({
    kind: 'place', title: `${lon}, ${lat}`, note: DATUMS[crs], asked: { lon, lat, crs }, extra: {},
  }));
}

async function quiet(promise) {
  try {
    return await promise;
  } catch (error) {
    if (aborted(error) || (error instanceof Failure && error.status < 500)) return null;
    throw error;
  }
}
