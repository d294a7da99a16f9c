// The two maps, now and with the plan, side by side: grids by coverage, cameras, blind spots, what changes.

import { get } from '../common/api.js';
import { el, notify } from '../common/dom.js';
import { entryOf, styleOf, swatch, themed } from '../common/draw.js';
import { number, say, t } from '../common/i18n.js';
import { state } from './state.js';

const L = window.L;
export const SHARES = [0, 0.2, 0.4, 0.6, 0.8];
const RANKS = ['veryLow', 'low', 'medium', 'high', 'veryHigh'];
const CAMERAS_FROM = 15;
const MOST_CAMERAS = 1500;
const GAIN = { light: '#00794f', dark: '#4fd6a0' };
const LOSS = { light: '#c8102e', dark: '#ff7a7a' };
const SPOT = { light: '#a32a00', dark: '#ff9d7a' };
const NEW = { shape: 'star', colour: '#009e73' };

/** One map and what lies on it. */
class Side {
  constructor(id, config, shares) {
    this.id = id;
    this.config = config;
    this.shares = shares;
    this.places = []; // of the cameras that are drawn
    this.map = L.map(id, { zoomControl: false, attributionControl: false, maxZoom: 19, minZoom: 6, zoomAnimation: false, fadeAnimation: false });
    this.canvas = L.canvas({ padding: 0.3 });
    this.cameras = L.layerGroup().addTo(this.map);
    this.spots = L.layerGroup().addTo(this.map);
    this.change = L.layerGroup().addTo(this.map);
    this.paint();
  }

  /** Grids and basemap in the colours of the theme. */
  paint() {
    for (const layer of this.tiles || []) this.map.removeLayer(layer);
    const look = styleOf({ geometry: 'polygon', style: groundStyle(this.config), size_m: this.config.size_m });
    const ground = this.config.empty ? null : this.layer(this.config.grids, { [this.config.grids]: (p, zoom) => look({ ...p, rank: rankOf(this.shares(p.grid_id)) }, zoom) }, 2);
    const group = (name, z) => this.layer(name, Object.fromEntries(this.config.groups[name].map((m) => [m.name, styleOf(m)])), z);
    this.ground = ground;
    this.tiles = [['basemap', 1], ['borders', 3], ['grid_labels', 4]].filter(([name]) => this.config.groups[name]).map(([name, z]) => group(name, z));
    if (ground) this.tiles.push(ground);
  }

  layer(name, styles, zIndex) {
    const address = `/tiles/${name}/{z}/{x}/{y}.mvt?v=${this.config.versions[name]}`;
    return L.vectorGrid.protobuf(address, { rendererFactory: L.canvas.tile, vectorTileLayerStyles: styles, maxZoom: 19, keepBuffer: 1, updateWhenZooming: false, zIndex }).addTo(this.map);
  }
}

export class Maps {
  constructor(config, plan, onAsk) {
    Object.assign(this, { config, plan, onAsk, share: new Map(), claim: state.claim, after: null, adding: false, spotsShown: [] });
    this.now = this.side('now', (id) => this.share.get(id));
    L.control.zoom({ position: 'topleft', zoomInTitle: '+', zoomOutTitle: '−' }).addTo(this.now.map);
    L.control.scale({ imperial: false, position: 'bottomleft', maxWidth: 140 }).addTo(this.now.map);
    this.then = null;
  }

  get sides() {
    return this.then ? [this.now, this.then] : [this.now];
  }

  side(id, shares) {
    const side = new Side(id, this.config, shares);
    side.map.on('click', (e) => { if (this.adding) this.plan.place(e.latlng, side.map); });
    return side;
  }

  /** Show both maps, or the present alone; they move together. */
  compare(box, on) {
    if (box.hidden === !on) return;
    box.hidden = !on;
    this.now.map.invalidateSize({ animate: false });
    const [centre, zoom] = [this.now.map.getCenter(), this.now.map.getZoom()];
    if (on && !this.then) {
      this.then = this.side('then', (id) => this.after?.get(id) ?? this.share.get(id));
      this.then.map.setView(centre, zoom, { animate: false });
      follow(this.now.map, this.then.map);
      follow(this.then.map, this.now.map);
      this.drawSpots(this.spotsShown);
    } else if (on) {
      this.then.map.invalidateSize({ animate: false });
      this.then.map.setView(centre, zoom, { animate: false });
    }
  }

  repaint() {
    for (const side of this.sides) side.paint();
    this.drawSpots(this.spotsShown);
  }

  recolour() {
    for (const side of this.sides) side.ground?.redraw();
  }

  async showCameras() {
    const { map } = this.now;
    for (const side of this.sides) {
      side.cameras.clearLayers();
      side.places = [];
      for (const camera of this.plan.add) this.planned(side, camera); // few, and shown at every zoom
    }
    if (map.getZoom() < CAMERAS_FROM) return;
    const b = map.getBounds();
    const bbox = [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((v) => v.toFixed(6)).join(',');
    const answer = await get('/v1/cameras', { bbox, limit: MOST_CAMERAS }, { kind: 'cameras' });
    for (const side of this.sides) {
      side.cameras.clearLayers();
      side.places = [];
      for (const camera of answer.cameras) this.camera(side, camera);
      for (const camera of this.plan.add) this.planned(side, camera);
    }
    if (answer.total > answer.cameras.length) notify(t('tooManyCameras', { n: number(answer.total), m: number(answer.cameras.length) }));
  }

  camera(side, camera) {
    const { camera_id: id, optics } = camera;
    const { plan } = this;
    const after = side === this.then;
    const stopped = after && plan.lose.includes(id);
    const lives = after && plan.restore.includes(id) ? 'on' : camera.state;
    const entry = entryOf(this.config.cameras, { state: stopped ? 'off' : lives });
    const bearing = after && id in plan.turn ? plan.turn[id] : optics.bearing_deg;
    if (!stopped) this.view(side, camera, optics, bearing, entry.colour);
    const point = this.point(side, camera, entry, plan.has(id));
    point.on('click', (e) => { L.DomEvent.stop(e); this.asked(side, e.latlng); });
    side.places.push([point.getLatLng(), camera]);
  }

  /** The camera under the pointer; where a pole carries several, a choice of them. */
  asked(side, at) {
    if (!this.config.whole_city) { this.onAsk(); return; }
    const { map } = side;
    const p = map.latLngToContainerPoint(at);
    const near = side.places.filter(([place]) => map.latLngToContainerPoint(place).distanceTo(p) < 12).map(([, camera]) => camera);
    if (near.length > 1) this.plan.choose(near, at, map);
    else if (near.length) this.plan.ask(near[0], at, map);
  }

  planned(side, camera) {
    const after = side === this.then;
    if (after) this.view(side, camera, camera, camera.bearing_deg, NEW.colour);
    this.point(side, camera, NEW, true, after ? 1 : 0.45);
  }

  point(side, camera, entry, marked, opacity = 1) {
    const rim = state.theme === 'dark' ? '#ffffff' : '#16212b';
    const point = L.circleMarker([camera.lat, camera.lon], {
      renderer: side.canvas, shape: entry.shape, radius: marked ? 8 : 6, color: marked ? rim : '#ffffff', weight: marked ? 2.5 : 1, opacity, fillColor: entry.colour, fillOpacity: 0.95 * opacity, bubblingMouseEvents: false,
    });
    side.cameras.addLayer(point);
    return point;
  }

  view(side, camera, optics, bearing, colour) {
    const shape = sector(camera, optics, bearing);
    if (shape) side.cameras.addLayer(L.polygon(shape, { renderer: side.canvas, color: colour, weight: 1, opacity: 0.6, fillOpacity: 0.1, interactive: false }));
  }

  drawSpots(spots) {
    this.spotsShown = spots;
    const color = SPOT[state.theme];
    for (const side of this.sides) {
      side.spots.clearLayers();
      for (const spot of spots) {
        const shape = L.geoJSON(spot.geometry, {
          style: { renderer: side.canvas, color, weight: 4, dashArray: '2 7', opacity: 0.85, fillOpacity: 0.15 }, interactive: false,
          pointToLayer: (_, at) => L.circleMarker(at, { renderer: side.canvas, shape: 'cross', radius: 7, color: '#ffffff', weight: 1, fillColor: color, fillOpacity: 1, interactive: false }),
        });
        side.spots.addLayer(shape);
        if (spot.rank > 20) continue;
        const icon = L.divIcon({ className: 'rank', html: el('span', { text: String(spot.rank) }), iconSize: null });
        side.spots.addLayer(L.marker(shape.getBounds().getCenter(), { icon, interactive: false, keyboard: false }));
      }
    }
  }

  /** What a plan changes, on the map after it. */
  drawChange(result) {
    for (const side of this.sides) side.change.clearLayers();
    if (!result) return;
    const paint = (geometry, color, look) => geometry && this.then.change.addLayer(L.geoJSON(geometry, { style: { renderer: this.then.canvas, color, weight: 1.5, ...look }, interactive: false }));
    for (const [change, look] of [[result.working, { fillOpacity: 0.2, dashArray: '5 4' }], [result, { fillOpacity: 0.45 }]]) {
      paint(change.gained, GAIN[state.theme], look);
      paint(change.lost, LOSS[state.theme], look);
    }
  }

  goTo(geometry) {
    this.now.map.fitBounds(L.geoJSON(geometry).getBounds(), { maxZoom: 17, padding: [60, 60], animate: false });
  }

  goToBox([west, south, east, north]) {
    this.now.map.fitBounds([[south, west], [north, east]], { maxZoom: 17, padding: [30, 30], animate: false });
  }

  legend() {
    const area = { geometry: 'polygon' };
    const point = { geometry: 'point' };
    const row = (entry, layer, text) => el('li', {}, swatch(entry, layer), el('span', { text }));
    const ranks = themed(groundStyle(this.config)).entries.slice(1);
    const states = this.config.cameras.entries.filter((e) => ['on', 'off', 'vlost', 'defect', 'repair'].includes(e.value));
    const plan = this.plan.size ? [row({ colour: GAIN[state.theme] }, area, t('gained')), row({ colour: LOSS[state.theme] }, area, t('lost')), row(NEW, point, t('plannedCamera')), el('li', { class: 'dim', text: t('markedCamera') })] : [];
    const near = this.now.map.getZoom() >= CAMERAS_FROM ? states.map((e) => row(e, point, say(e))) : [el('li', { class: 'dim', text: t('zoomForCameras') })];
    return [el('strong', { text: t('groundShare') }), el('p', { class: 'dim', text: t(`claim_${this.claim}`) }), el('ul', {}, ranks.map((e, i) => row(e, { ...area, opacity: groundStyle(this.config).opacity }, `${t(RANKS[i])}　${100 * SHARES[i]}–${100 * SHARES[i] + 20} %`))),
      el('strong', { text: t('cameras') }), el('ul', {}, near, plan)];
  }
}

function groundStyle(config) {
  const ranks = config.ramp.map((colour, i) => ({ value: i, colour, shape: 'fill' }));
  return { by: 'rank', entries: [{ value: -1, colour: '#cccccc', shape: 'fill' }, ...ranks], mark: null, opacity: 0.55, weight: 0.8, radius: 6, label: '' };
}

function rankOf(share) {
  return share === undefined || share === null ? -1 : SHARES.filter((s) => share >= s).length - 1;
}

function follow(from, to) {
  from.on('move', () => {
    if (from.held) return;
    to.held = true;
    to.setView(from.getCenter(), from.getZoom(), { animate: false });
    to.held = false;
  });
}

/** What a camera could see if nothing stood in its way: corners of a sector. */
function sector(camera, { range_m: range, fov_deg: fov }, bearing) {
  const unknown = [range, fov].some((v) => v === null || v === undefined) || ((bearing === null || bearing === undefined) && fov < 360);
  if (unknown) return null;
  const steps = Math.max(Math.round(fov / 6), 4);
  const points = fov < 360 ? [[camera.lat, camera.lon]] : [];
  for (let i = 0; i <= steps; i += 1) {
    const a = ((bearing || 0) - fov / 2 + (fov * i) / steps) * Math.PI / 180;
    points.push([camera.lat + (range * Math.cos(a)) / 111320, camera.lon + (range * Math.sin(a)) / (111320 * Math.cos(camera.lat * Math.PI / 180))]);
  }
  return points;
}
