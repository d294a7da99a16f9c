// Warnings and changes of the hot list as they come, newest first; each leads to its grid.

import { byId, el, fill } from '../common/dom.js';
import { moment, number, t } from '../common/i18n.js';

const MOST = 30;

export class Alerts {
  constructor(config, choose) {
    Object.assign(this, { config, choose, rows: [] });
  }

  /** The same grid and category again takes the place of what was said before. */
  add(kind, id, body) {
    const row = { kind, key: `${kind}:${id}`, body, at: new Date().toISOString() };
    this.rows = [row, ...this.rows.filter((r) => r.key !== row.key)].slice(0, MOST);
    this.render();
  }

  clear() {
    this.rows = [];
    this.render();
  }

  render() {
    byId('alerts').hidden = !this.rows.length;
    fill(byId('alert-list'), this.rows.map((row) => this.line(row)));
  }

  line({ kind, body, at }) {
    const sign = kind === 'warning' ? '⚠' : body.hot ? '▲' : '▽';
    const words = kind === 'warning' ? t('warningLine', { c: body.category, n: number(body.observed), e: number(body.expected, 1) }) : t(body.hot ? 'hotLine' : 'coldLine');
    return el('li', {}, el('button', { type: 'button', class: 'row', onclick: () => this.choose(body) },
      el('span', { class: kind === 'warning' || body.hot ? 'late' : 'dim', text: sign, 'aria-hidden': 'true' }), el('span', { class: 'name', text: body.name || body.grid_id }), el('span', { class: 'num dim', text: moment(at, this.config.timezone) }),
      el('span', { text: words })));
  }
}
