// Areas and lines of vector tiles, painted straight from their bytes: no object is made for a feature, and all that look
// alike are drawn together. Fifteen thousand grids cost a fifth of what they cost as Leaflet's paths.

import { hatching, stretched } from './draw.js';

const L = window.L;
const BATCH = 300; // features in one path: larger ones take a rasterizer longer than their parts
const LINE = 2;
const AREA = 3;
const text = new TextDecoder();

/** A grid layer of `styles`: for each layer of the tile a function from properties to Leaflet's path options. */
export const areaTiles = (url, styles, options) => new AreaTiles(url, styles, options);

const AreaTiles = L.GridLayer.extend({
  initialize(url, styles, options) {
    L.GridLayer.prototype.initialize.call(this, options);
    Object.assign(this, { url, styles, asked: new WeakMap() });
    this.on('tileunload', (e) => this.asked.get(e.tile)?.abort()); // what is not shown any more is not waited for
  },

  createTile(coords, done) {
    const canvas = document.createElement('canvas');
    const side = this.getTileSize().x;
    const address = L.Util.template(this.url, { x: coords.x, y: coords.y, z: coords.z - (side === 512 ? 1 : 0) });
    const stop = new AbortController();
    this.asked.set(canvas, stop);
    fetch(address, { signal: stop.signal }).then((r) => r.arrayBuffer()).then((bytes) => {
      if (bytes.byteLength && this._map) paint(canvas, side, new Uint8Array(bytes), this.styles, coords.z);
      done(null, canvas);
    }).catch(() => done(null, canvas));
    return canvas;
  },
});

function paint(canvas, side, bytes, styles, zoom) {
  const ratio = Math.min((window.devicePixelRatio || 1) * Math.max(stretched(), 1), 2);
  canvas.width = side * ratio;
  canvas.height = side * ratio;
  const ctx = canvas.getContext('2d');
  ctx.scale(ratio, ratio);
  ctx.lineJoin = 'round';
  ctx.lineCap = 'round';
  const reader = new Reader(bytes);
  reader.each(bytes.length, (field, end) => { if (field === 3) layer(ctx, side, reader, end, styles, zoom); });
}

/** One layer of a tile: its features come before the keys and values that they point to. */
function layer(ctx, side, reader, end, styles, zoom) {
  const features = [];
  const keys = [];
  const values = [];
  let name = '';
  let extent = 4096;
  reader.each(end, (field, stop) => {
    if (field === 2) features.push(reader.at, stop);
    else if (field === 1) name = reader.text(stop);
    else if (field === 3) keys.push(reader.text(stop));
    else if (field === 4) values.push(reader.at, stop);
  }, (field, value) => { if (field === 5) extent = value; });
  const style = styles[name];
  if (!style) return;
  const looks = new Map();
  const known = [];
  const valueOf = (i) => { known[i] ??= value(reader, values[2 * i], values[2 * i + 1]); return known[i]; };
  for (let i = 0; i < features.length; i += 2) {
    const found = feature(reader, features[i], features[i + 1], keys, valueOf);
    const look = style(found.properties, zoom);
    if (!look || Array.isArray(look)) continue;
    const id = `${found.type}${look.fill}${look.fillColor}${look.fillOpacity}${look.color}${look.weight}${look.hatch}`;
    if (!looks.has(id)) looks.set(id, { look, type: found.type, places: [] });
    looks.get(id).places.push(found.from, found.to);
  }
  const order = [...looks.values()].sort((a, b) => (a.look.weight || 0) - (b.look.weight || 0)); // marked ones on top
  for (const one of order) draw(ctx, reader, one, side / extent);
}

function feature(reader, from, end, keys, valueOf) {
  const found = { type: 0, from: 0, to: 0, properties: {} };
  reader.at = from;
  reader.each(end, (field, stop) => {
    if (field === 4) Object.assign(found, { from: reader.at, to: stop });
    else if (field === 2) while (reader.at < stop) found.properties[keys[reader.varint()]] = valueOf(reader.varint());
  }, (field, value) => { if (field === 3) found.type = value; });
  return found;
}

function draw(ctx, reader, { look, type, places }, scale) {
  for (let i = 0; i < places.length; i += 2 * BATCH) {
    ctx.beginPath();
    for (let j = i; j < Math.min(i + 2 * BATCH, places.length); j += 2) trace(ctx, reader, places[j], places[j + 1], scale);
    if (type === AREA && look.fill) {
      ctx.globalAlpha = look.fillOpacity ?? 0.2;
      ctx.fillStyle = look.fillColor || look.color;
      ctx.fill();
      if (look.hatch) { ctx.fillStyle = hatching(ctx, look.hatch); ctx.globalAlpha = 1; ctx.fill(); }
    }
    if ((type === LINE || look.stroke !== false) && look.weight) {
      ctx.globalAlpha = look.opacity ?? 1;
      ctx.strokeStyle = look.color;
      ctx.lineWidth = look.weight;
      ctx.stroke();
    }
  }
}

/** Add a geometry to the path: move and line commands with zigzag steps, in units of the tile. */
function trace(ctx, reader, from, to, scale) {
  let x = 0;
  let y = 0;
  reader.at = from;
  while (reader.at < to) {
    const command = reader.varint();
    if ((command & 7) === 7) { ctx.closePath(); continue; }
    for (let n = command >> 3; n > 0; n -= 1) {
      const dx = reader.varint();
      const dy = reader.varint();
      x += (dx >> 1) ^ -(dx & 1);
      y += (dy >> 1) ^ -(dy & 1);
      if ((command & 7) === 1) ctx.moveTo(x * scale, y * scale);
      else ctx.lineTo(x * scale, y * scale);
    }
  }
}

/** The single field of a value; the reader stays where it was, in the middle of a feature. */
function value(reader, from, end) {
  const before = reader.at;
  let found = null;
  reader.at = from;
  reader.each(end, (field, stop) => {
    if (field === 1) found = reader.text(stop);
    else if (field === 3) found = new DataView(reader.bytes.buffer, reader.at).getFloat64(0, true);
    else if (field === 2) found = new DataView(reader.bytes.buffer, reader.at).getFloat32(0, true);
  }, (field, number) => {
    found = field === 6 ? (number % 2 ? -(number + 1) / 2 : number / 2) : field === 7 ? Boolean(number) : number;
  });
  reader.at = before;
  return found;
}

/** Protocol buffers, as much of them as a tile has. */
class Reader {
  constructor(bytes) {
    this.bytes = bytes;
    this.at = 0;
  }

  varint() {
    const { bytes } = this;
    let byte = bytes[this.at++];
    if (byte < 128) return byte;
    let value = byte & 127;
    for (let factor = 128; byte > 127; factor *= 128) {
      byte = bytes[this.at++];
      value += (byte & 127) * factor;
    }
    return value;
  }

  text(end) {
    const part = this.bytes.subarray(this.at, end);
    this.at = end;
    return text.decode(part);
  }

  /** Call `block(field, end)` for what has a length, `number(field, value)` for numbers; then go on behind it. */
  each(end, block, number = () => {}) {
    while (this.at < end) {
      const tag = this.varint();
      const kind = tag & 7;
      if (kind === 0) { number(tag >> 3, this.varint()); continue; }
      const stop = kind === 2 ? this.varint() + this.at : this.at + (kind === 1 ? 8 : 4);
      block(tag >> 3, stop);
      this.at = stop;
    }
  }
}
