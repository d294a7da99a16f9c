// A plan: cameras added, turned, stopped, restored; and the popups on the map that make it.

import { byId, el } from '../common/dom.js';
import { entryOf } from '../common/draw.js';
import { number, say, t } from '../common/i18n.js';

const L = window.L;
const FIELDS = [['bearing_deg', 0, 0, 360], ['fov_deg', 70, 1, 360], ['range_m', 80, 1, 2000], ['height_m', 5, 0, 200], ['resolution_px', 1920, 100, 20000]];

export class Plan {
  constructor(config, onChange) {
    this.config = config;
    this.onChange = onChange;
    this.clear();
  }

  clear() {
    Object.assign(this, { add: [], turn: {}, lose: [], restore: [] });
  }

  get body() {
    return { add: this.add, turn: this.turn, lose: this.lose, restore: this.restore };
  }

  get size() {
    return this.add.length + Object.keys(this.turn).length + this.lose.length + this.restore.length;
  }

  has(id) {
    return id in this.turn || this.lose.includes(id) || this.restore.includes(id);
  }

  forget(id) {
    delete this.turn[id];
    this.lose = this.lose.filter((i) => i !== id);
    this.restore = this.restore.filter((i) => i !== id);
  }

  /** Every change in words, with what undoes it: [[words, undo]]. */
  items() {
    return [
      ...this.add.map((c, i) => [t('planAdd', { b: number(c.bearing_deg), f: number(c.fov_deg), r: number(c.range_m) }), () => this.add.splice(i, 1)]),
      ...Object.entries(this.turn).map(([id, b]) => [t('planTurn', { id, b: number(b) }), () => this.forget(id)]),
      ...this.lose.map((id) => [t('planLose', { id }), () => this.forget(id)]),
      ...this.restore.map((id) => [t('planRestore', { id }), () => this.forget(id)]),
    ];
  }

  /** Several cameras in one place: which one. */
  choose(cameras, at, map) {
    const button = (c) => el('button', { type: 'button', class: 'link', 'data-camera': c.camera_id, text: `${c.name || c.camera_id} · ${say(entryOf(this.config.cameras, c))} · ${c.optics.bearing_deg === null ? t('unknown') : `${number(c.optics.bearing_deg)}°`}`, onclick: () => this.ask(c, at, map) });
    this.popup(at, map, [el('strong', { text: t('whichCamera', { n: cameras.length }) }), el('ul', {}, cameras.map((c) => el('li', {}, button(c))))]);
  }

  /** What may be done with a camera that is there. */
  ask(camera, at, map) {
    const id = camera.camera_id;
    const optics = camera.optics;
    const known = (value) => (value === null || value === undefined ? t('unknown') : number(value));
    const bearing = el('input', { type: 'number', id: 'turn-to', min: '0', max: '360', step: '1', required: true, value: String(Math.round(this.turn[id] ?? optics.bearing_deg ?? 0)) });
    const act = (name, run) => el('button', { type: 'button', id: `camera-${name}`, text: t(name), onclick: () => { this.forget(id); run(); map.closePopup(); this.onChange(); } });
    const turn = el('button', { id: 'camera-turnTo', text: t('turnTo') });
    const form = el('form', {}, el('label', { for: 'turn-to', text: t('newBearing') }), bearing, turn,
      camera.state === 'on' ? act('stopIt', () => this.lose.push(id)) : act('restoreIt', () => this.restore.push(id)),
      this.has(id) ? act('undoIt', () => {}) : null);
    form.addEventListener('submit', (e) => {
      e.preventDefault();
      this.forget(id);
      this.turn[id] = Number(bearing.value) % 360;
      map.closePopup();
      this.onChange();
    });
    const facts = t('cameraFacts', { s: say(entryOf(this.config.cameras, camera)), b: known(optics.bearing_deg), f: known(optics.fov_deg), r: known(optics.range_m) });
    this.popup(at, map, [el('strong', { text: camera.name || id }), el('p', { class: 'mono dim', text: id }), el('p', { text: facts }), form]);
  }

  /** A camera that is not there yet. */
  place(at, map) {
    const rows = FIELDS.flatMap(([name, value, min, max]) => [el('label', { for: `new-${name}`, text: t(name) }), el('input', { id: `new-${name}`, type: 'number', value: String(value), min: String(min), max: String(max), required: true })]);
    const form = el('form', {}, rows, el('button', { class: 'main', id: 'camera-add', text: t('addIt') }));
    form.addEventListener('submit', (e) => {
      e.preventDefault();
      const camera = { lon: at.lng, lat: at.lat, name: t('newCamera', { n: this.add.length + 1 }) };
      for (const [name] of FIELDS) camera[name] = Number(byId(`new-${name}`).value);
      this.add.push(camera);
      map.closePopup();
      this.onChange();
    });
    this.popup(at, map, [el('strong', { text: t('newCamera', { n: this.add.length + 1 }) }), form]);
  }

  popup(at, map, children) {
    L.popup({ maxWidth: 460, autoPanPadding: [20, 50] }).setLatLng(at).setContent(el('div', {}, children)).openOn(map);
  }
}
