// The time line: one day or one week at a time, by hand or playing.

import { el, fill, byId } from '../common/dom.js';
import { t } from '../common/i18n.js';
import { change, state } from './state.js';

const DAY = 86400e3;
const FRAME_MS = 1200;

/** The window of time that is on, in words. */
export function windowWords() {
  if (!state.from) return state.days ? t('days', { n: state.days }) : t('all');
  if (state.step !== 'week') return state.from;
  return `${state.from} – ${new Date(Date.parse(`${state.from}T00:00:00Z`) + 6 * DAY).toISOString().slice(0, 10)}`;
}

export class Timeline {
  constructor(config, settled) {
    this.config = config;
    this.settled = settled; // resolves when the map shows what the state says
    this.playing = false;
  }

  get size() {
    return state.step === 'week' ? 7 : 1;
  }

  get first() {
    return Date.parse(`${this.config.first.slice(0, 10)}T00:00:00Z`);
  }

  /** Number of whole steps; the last one ends with the data. */
  get count() {
    const last = Date.parse(`${this.config.latestDay}T00:00:00Z`);
    return Math.max(Math.floor((last - this.first) / DAY / this.size) + 1, 1);
  }

  dateOf(i) {
    const last = Date.parse(`${this.config.latestDay}T00:00:00Z`);
    return new Date(last - ((this.count - 1 - i) * this.size + this.size - 1) * DAY).toISOString().slice(0, 10);
  }

  get index() {
    if (!state.from) return this.count - 1;
    const last = Date.parse(`${this.config.latestDay}T00:00:00Z`);
    const back = (last - Date.parse(`${state.from}T00:00:00Z`)) / DAY - this.size + 1;
    return Math.min(Math.max(this.count - 1 - Math.round(back / this.size), 0), this.count - 1);
  }

  render() {
    const box = byId('timeline');
    box.hidden = !this.config.first;
    if (box.hidden) return;
    const focus = document.activeElement?.id;
    const button = (id, text, label, act, more = {}) => el('button', { type: 'button', id, text, 'aria-label': label, title: label, onclick: act, ...more });
    const slider = el('input', { type: 'range', id: 'time', min: '0', max: String(this.count - 1), value: String(this.index), 'aria-label': t('timeline'), 'aria-valuetext': this.words(), oninput: (e) => this.go(Number(e.target.value)) });
    const step = el('select', { id: 'step', 'aria-label': t('step'), onchange: (e) => this.setStep(e.target.value) },
      el('option', { value: 'day', text: t('byDay'), selected: state.step === 'day' }), el('option', { value: 'week', text: t('byWeek'), selected: state.step === 'week' }));
    fill(box,
      button('play', this.playing ? '❚❚' : '▶', t(this.playing ? 'pause' : 'play'), () => this.toggle(), { 'aria-pressed': String(this.playing) }),
      button('step-back', '‹', t('before'), () => this.move(-1)), slider, button('step-on', '›', t('after'), () => this.move(1)),
      el('output', { id: 'time-text', for: 'time', text: this.words() }), step,
      state.from ? button('time-off', t('timeOff'), t('timeOff'), () => this.off()) : null);
    if (focus) byId(focus)?.focus();
  }

  words() {
    return windowWords();
  }

  go(i) {
    change({ from: this.dateOf(Math.min(Math.max(i, 0), this.count - 1)) });
  }

  move(by) {
    this.go(state.from ? this.index + by : this.count - 1);
  }

  setStep(step) {
    change({ step, from: '' });
  }

  off() {
    this.stop();
    change({ from: '' });
  }

  stop() {
    this.playing = false;
    this.render();
  }

  toggle() {
    this.playing = !this.playing;
    if (this.playing && (!state.from || this.index >= this.count - 1)) this.go(0);
    this.render();
    if (this.playing) this.run();
  }

  /** The next frame comes when the map has drawn the last one, and not sooner than people can read it. */
  async run() {
    while (this.playing) {
      await Promise.all([new Promise((done) => { setTimeout(done, FRAME_MS); }), this.settled()]);
      if (!this.playing) return;
      if (this.index >= this.count - 1) { this.stop(); return; }
      this.go(this.index + 1);
    }
  }
}
