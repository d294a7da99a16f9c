// Blind spots: the worst of the list, with their rank, where they are.

import { get, aborted } from '../common/api.js';
import { el } from '../common/dom.js';
import { lang, number, t } from '../common/i18n.js';
import { spotWords } from '../common/spot.js';
import { state } from './state.js';

const L = window.L;
const MOST = 100;
const COLOUR = { light: '#b00020', dark: '#ff8a80' };

export class BlindSpots {
  constructor(map, config, choose, onStatus) {
    Object.assign(this, { map, config, choose, onStatus, status: '', total: 0 });
    map.createPane('blind').style.zIndex = 440;
    this.renderer = L.canvas({ pane: 'blind', padding: 0.3 });
    this.group = L.layerGroup();
  }

  get offered() {
    return this.config.blind && Boolean(this.config.layers.cameras);
  }

  async sync() {
    if (!this.offered || !state.on.includes('blind')) {
      this.group.remove();
      this.shown = '';
      return;
    }
    const key = `${state.grid}|${state.theme}|${state.opacity.blind ?? 1}`;
    if (key !== this.shown) await this.load(key);
  }

  async load(key = this.shown) {
    this.mark('loading');
    try {
      const answer = await get('/v1/blind-spots', { limit: MOST, grid: state.grid }, { kind: 'blind' });
      this.total = answer.total;
      this.shown = key;
      this.draw(answer.blind_spots);
      this.mark('ready');
    } catch (error) {
      if (!aborted(error)) this.mark('failed');
    }
  }

  mark(status) {
    this.status = status;
    this.onStatus();
  }

  draw(spots) {
    this.group.clearLayers();
    const color = COLOUR[state.theme];
    const opacity = state.opacity.blind ?? 1;
    for (const spot of spots) {
      const shape = L.geoJSON(spot.geometry, {
        renderer: this.renderer, style: { color, weight: 5, opacity: 0.75 * opacity, dashArray: '2 7' },
        pointToLayer: (_, at) => L.circleMarker(at, { renderer: this.renderer, shape: 'cross', radius: 7, color: '#ffffff', weight: 1, fillColor: color, fillOpacity: opacity }),
      });
      const at = shape.getBounds().getCenter();
      const go = () => this.choose({ asked: { lon: at.lng.toFixed(7), lat: at.lat.toFixed(7) }, extra: { title: lang() === 'zh' ? spot.what || spot.name : spot.name, note: spotWords(spot) } });
      shape.on('click', (e) => { L.DomEvent.stop(e); go(); });
      this.group.addLayer(shape);
      if (spot.rank <= 20) {
        const icon = L.divIcon({ className: 'rank', html: el('span', { text: String(spot.rank) }), iconSize: null });
        this.group.addLayer(L.marker(at, { icon, title: spotWords(spot), alt: spotWords(spot), opacity }).on('click', go));
      }
    }
    this.group.addTo(this.map);
  }

  legend() {
    return el('p', { class: 'note', text: t('blindNote', { n: number(Math.min(MOST, this.total)), m: number(this.total) }) });
  }
}
