// The map's tile layers: made from the catalogue in the page's configuration, kept in step with the state.

import { get, aborted } from '../common/api.js';
import { areaTiles } from '../common/areas.js';
import { styleOf } from '../common/draw.js';
import { join, state, windowOf } from './state.js';
import { shadeFor } from './shade.js';

const L = window.L;
export const ORDER = ['basemap', 'shade', 'micro_grids', 'borders', 'others', 'incidents', 'targets', 'facilities', 'hazards', 'cameras', 'grid_labels'];
const KEYS = { grids: 'grid_id', cameras: 'camera_id', targets: 'target_id', facilities: 'facility_id', hazards: 'hazard_id', incidents: 'incident_id' };

export class Layers {
  constructor(map, config, onStatus) {
    this.map = map;
    this.config = config;
    this.onStatus = onStatus;
    this.shown = new Map();
    this.status = new Map();
    this.dotted = new Set(); // layers of density cells that show single points in this view
    this.changed = new Map(); // live states of cameras and facilities, by id
    watchTiles((name, ok) => { if (!ok) this.mark(name, 'failed'); });
  }

  /** Names of the catalogue's layers behind a name of the tree. */
  members(name) {
    return (this.config.groups[name] || [name]).map((n) => this.config.layers[n]).filter(Boolean);
  }

  /** Beyond it lies nothing, and no tile is asked for. */
  get extent() {
    const [west, south, east, north] = this.config.extent || [-180, -90, 180, 90];
    return L.latLngBounds([south, west], [north, east]);
  }

  has(name) {
    return this.members(name).length > 0;
  }

  /** Bring the map to what the state says; the shading, which may have to be asked for, comes last. */
  async sync() {
    this.turn = (this.turn || 0) + 1;
    const mine = this.turn;
    const names = state.on.filter((n) => this.has(n));
    for (const name of [...this.shown.keys()]) if (!names.includes(name) && !(name === 'shade' && state.shade)) this.remove(name);
    for (const name of names) this.put(name, this.plan(name));
    if (state.shade) {
      const plan = await this.planShade();
      if (mine !== this.turn) return;
      if (plan) this.put('shade', plan);
      else if (this.shown.has('shade')) this.drop('shade');
    }
    this.onStatus();
  }

  put(name, plan) {
    const old = this.shown.get(name);
    if (!old || old.plan.key !== plan.key) this.show(name, plan);
    else if (name === 'shade') this.mark(name, 'ready');
    this.shown.get(name).layer.setOpacity(state.opacity[name] ?? 1);
  }

  plan(name) {
    const members = this.members(name);
    const query = this.query(name, members[0]);
    const group = members.length > 1 || this.config.groups[name] ? name : members[0].name;
    const styles = Object.fromEntries(members.map((m) => [m.name, this.live(m, styleOf({ ...m, kind: name }))]));
    return { url: tileUrl(group, query, this.config.versions[group]), styles, members, key: `${group}?${query}|${state.theme}|${this.config.versions[group]}` };
  }

  async planShade() {
    const grids = this.config.layers[this.config.finest];
    if (!grids) return null;
    try {
      this.mark('shade', 'loading');
      const shade = await shadeFor(state.shade, this.config);
      const query = this.query('grids', grids, shade.indicator ? { indicator: shade.indicator, fields: 'rank' } : { fields: 'grid_id' });
      this.legend = { ...grids, ...shade, geometry: 'polygon' };
      const draw = styleOf({ ...grids, style: shade.style });
      const style = shade.values ? (p, zoom) => draw({ ...p, rank: shade.values.get(p.grid_id) ?? -1 }, zoom) : draw;
      const version = shade.indicator ? shade.version : this.config.versions[grids.name];
      return { url: tileUrl(grids.name, query, version), styles: { [grids.name]: style }, members: [grids], key: `shade:${state.shade}:${shade.version}?${query}|${state.theme}|${version}` };
    } catch (error) {
      if (!aborted(error)) this.mark('shade', 'failed');
      return null;
    }
  }

  /** What a layer is asked for: only filters that it knows. */
  query(name, layer, more = {}) {
    const asked = new URLSearchParams(more);
    const put = (key, value) => { if (value && layer.filters.includes(key)) asked.set(key, value); };
    put('category', join(state.category));
    put('source', join(state.source));
    if (layer.filters.includes('since')) {
      const { since, until } = windowOf(this.config);
      put('since', since);
      put('until', until);
    }
    if (name === 'cameras') put('state', join(state.camera));
    if (!['basemap', 'borders', 'grid_labels'].includes(name) && state.grid) asked.set('grid', state.grid);
    if (layer.grids && !asked.has('fields')) asked.set('fields', ''); // what is drawn needs none; names are asked for with a place
    if (state.asOf && (layer.grids || name === 'borders' || name === 'grid_labels')) asked.set('as_of', state.asOf);
    return asked.toString();
  }

  show(name, plan) {
    const old = this.shown.get(name);
    const [first] = plan.members;
    const points = first.geometry === 'point';
    const options = {
      maxZoom: 18, updateWhenZooming: false, keepBuffer: 1,
      ...(first.grids ? { tileSize: 512 } : {}), // a quarter of the requests and canvases
      ...(name === 'grid_labels' ? {} : { bounds: this.extent }), // a name may reach out of its tile
      zIndex: 10 + ORDER.indexOf(ORDER.includes(name) ? name : 'others'), className: `tiles-${name}`,
    };
    const layer = !points && first.crowd !== 'density' ? areaTiles(plan.url, plan.styles, options) : L.vectorGrid.protobuf(plan.url, {
      ...options, rendererFactory: L.canvas.tile, vectorTileLayerStyles: plan.styles, interactive: false,
      getFeatureId: (f) => f.properties[KEYS[first.name]],
    });
    const stale = old ? [...old.stale, old.layer] : []; // on the map until this one has loaded
    this.mark(name, 'loading');
    layer.on('load', () => {
      if (this.status.get(name) === 'loading') this.mark(name, 'ready');
      for (const before of stale.splice(0)) this.map.removeLayer(before);
      if (first.crowd === 'density') this.dots(name, layer, KEYS[first.name]);
    });
    if (old) old.layer.off('load');
    this.shown.set(name, { layer, plan, stale });
    layer.addTo(this.map);
    if (!layer.isLoading()) layer.fire('load'); // nothing of it lies in this view
  }

  /** Whether single points are in the tiles now; the legend is of what is there. */
  dots(name, layer, key) {
    const now = Object.values(layer._vectorTiles || {}).some((tile) => Object.values(tile._features).some(({ feature }) => feature.properties[key] !== undefined));
    if (now === this.dotted.has(name)) return;
    if (now) this.dotted.add(name);
    else this.dotted.delete(name);
    this.onStatus();
  }

  remove(name) {
    this.drop(name);
    this.status.delete(name);
  }

  drop(name) {
    const { layer, stale } = this.shown.get(name);
    for (const one of [...stale, layer]) this.map.removeLayer(one);
    this.shown.delete(name);
  }

  retry(name) {
    const entry = this.shown.get(name);
    if (!entry) return this.sync();
    this.show(name, entry.plan); // anew: answers to the old tiles may still be on their way
    return this.put(name, entry.plan);
  }

  mark(name, status) {
    const key = name === this.config.finest && this.shown.has('shade') ? 'shade' : name;
    if (this.status.get(key) === status) return;
    this.status.set(key, status);
    this.onStatus();
  }

  /** Everything is drawn. */
  get ready() {
    return ![...this.status.values()].includes('loading');
  }

  /** Points under a place of the screen, nearest first: [{name, id, properties, away}]. */
  hits(latlng, within = 12) {
    const found = new Map();
    const zoom = Math.round(this.map.getZoom());
    const at = this.map.project(latlng, zoom);
    const reach = within / this.map.getZoomScale(this.map.getZoom(), zoom);
    for (const [name, { layer, plan }] of this.shown) {
      if (!plan.members.some((m) => m.geometry === 'point') || name === 'grid_labels') continue;
      for (const tile of Object.values(layer._vectorTiles || {})) {
        const c = tile._tileCoord;
        if (c.z !== zoom) continue;
        const p = at.subtract(c.scaleBy(L.point(256, 256)));
        if (p.x < -20 || p.y < -20 || p.x > 276 || p.y > 276) continue;
        for (const { feature } of Object.values(tile._features)) {
          const away = feature._point ? feature._point.distanceTo(p) : Infinity;
          const id = feature.properties[KEYS[plan.members[0].name]];
          if (away <= reach && id !== undefined && !(found.get(id)?.away <= away)) found.set(id, { name, id, properties: feature.properties, away });
        }
      }
    }
    return [...found.values()].sort((a, b) => a.away - b.away);
  }

  /** A camera or a facility changed its state: draw it anew where it is on the map. */
  update(kind, id, newState) {
    const name = { camera: 'cameras', facility: 'facilities' }[kind];
    this.changed.set(id, newState);
    const entry = this.shown.get(name);
    if (!entry) return;
    for (const tile of Object.values(entry.layer._vectorTiles || {})) {
      const feature = tile._features[id]?.feature;
      if (feature) entry.layer.setFeatureStyle(id, entry.plan.styles[name](feature.properties));
    }
  }

  live(member, style) {
    if (!['cameras', 'facilities'].includes(member.name)) return style;
    const key = KEYS[member.name];
    return (p) => style(this.changed.has(p[key]) ? { ...p, state: this.changed.get(p[key]) } : p);
  }
}

function tileUrl(name, query, version) {
  const tail = [query, version && `v=${version}`].filter(Boolean).join('&');
  return `/tiles/${name}/{z}/{x}/{y}.mvt${tail ? `?${tail.replaceAll('{', '%7B')}` : ''}`;
}

/** A tile that fails is an empty tile and a mark on its layer, not an error without end. */
function watchTiles(report) {
  const plain = window.fetch.bind(window);
  window.fetch = async (url, options) => {
    const tile = /^\/tiles\/([^/]+)\/\d+\/\d+\/\d+\.mvt/.exec(String(url));
    if (!tile) return plain(url, options);
    const empty = () => new Response(new ArrayBuffer(0));
    try {
      const response = await plain(url, options);
      report(tile[1], response.ok);
      return response.status === 200 ? response : empty();
    } catch (error) {
      if (!aborted(error)) report(tile[1], false);
      return empty();
    }
  };
}

export const layerInfo = (name, params) => get(`/tiles/${name}.json`, params);
