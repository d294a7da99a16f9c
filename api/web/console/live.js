// The stream: WebSocket first, Server-Sent Events where that fails; resumes with the last id; says how far behind.

import { state } from './state.js';

const SILENCE_MS = 25000;

export class Live {
  constructor(onChanges, onReset, onStatus) {
    Object.assign(this, { onChanges, onReset, onStatus });
    this.last = '';
    this.heard = Date.now();
    this.tries = 0;
    this.sockets = 0;
    this.timer = setInterval(() => this.check(), 1000);
  }

  start() {
    this.stop();
    const query = new URLSearchParams();
    if (state.grid) query.set('grid', state.grid);
    if (this.last) query.set('since', this.last);
    const tail = query.toString() ? `?${query}` : '';
    this.grid = state.grid;
    if (this.sockets < 3 && 'WebSocket' in window) this.socket(tail);
    else this.events(tail);
  }

  socket(tail) {
    this.sockets += 1;
    const link = new WebSocket(`${location.protocol === 'https:' ? 'wss' : 'ws'}://${location.host}/v1/stream${tail}`);
    link.onmessage = (e) => { this.sockets = 0; this.take(e.data); };
    link.onclose = () => { if (this.link === link) this.again(); };
    this.link = link;
    this.transport = 'ws';
  }

  events(tail) {
    const link = new EventSource(`/v1/stream${tail}`);
    link.onmessage = (e) => this.take(e.data);
    link.onerror = () => { if (this.link === link) { link.close(); this.again(); } };
    this.link = link;
    this.transport = 'sse';
  }

  stop() {
    const link = this.link;
    this.link = null;
    clearTimeout(this.retry);
    link?.close();
  }

  again() {
    this.link = null;
    this.open = false;
    this.tries += 1;
    this.tell();
    this.retry = setTimeout(() => this.start(), Math.min(500 * 2 ** this.tries, 15000) * (0.5 + Math.random() / 2));
  }

  take(text) {
    const message = JSON.parse(text);
    this.heard = Date.now();
    this.open = true;
    this.tries = 0;
    if (message.type === 'hello') {
      if (message.reset) this.onReset();
      if (!this.last || message.reset) this.last = message.id;
    }
    if (message.type === 'changes') {
      this.last = message.id;
      this.onChanges(message.changes);
    }
    this.tell();
  }

  check() {
    if (this.link && this.open && Date.now() - this.heard > SILENCE_MS) {
      this.stop();
      this.again();
    }
    this.tell();
  }

  get behindMinutes() {
    const silent = Date.now() - this.heard;
    return this.open && silent <= SILENCE_MS ? 0 : Math.max(Math.ceil(silent / 60000), 1);
  }

  tell() {
    const now = this.open ? 'live' : Date.now() - this.heard < 5000 ? 'connecting' : 'behind';
    const key = `${now}:${this.behindMinutes}`;
    if (key !== this.told) {
      this.told = key;
      this.onStatus(now, this.behindMinutes);
    }
  }
}
