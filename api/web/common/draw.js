// How features look: shapes on Leaflet's canvas, styles of the catalogue, and what a dark wall changes.

const L = window.L;
const FONT = '"Noto Sans CJK SC","Microsoft YaHei","PingFang SC","Source Han Sans SC",sans-serif';
const DARK = {
  boundary: '#6f8296', water: '#17354d', waterways: '#23506f', buildings: '#2b333d', villages: '#6f8398', towns: '#c6d4e1', dedicated_grids: '#b18be0',
  micro_grids: '#7d8b97', roads: ['#8a6a2c', '#75602f', '#515c68', '#3b4550'],
};
const DARK_DENSITY = ['#33203f', '#54245a', '#7b2a62', '#a43a58', '#c95245', '#e57931', '#f7a82c', '#fde267'];
const RANKED_DARK = 0.62; // opacity of ranked areas in the dark theme
let dark = false;
let rem = 1;
let stretch = 1;
let big = 1; // how much larger than on a desk everything is drawn, so that a wall is read from across the room

export const setDark = (value) => { dark = value; };

export const setScale = (value) => { rem = Math.min(Math.max(value, 1), 2.2); big = rem / stretch; };

/** How much larger than drawn the tiles of this zoom are shown: a view that is fitted lies between two zooms. */
export const setStretch = (zoom) => { stretch = 2 ** (zoom - Math.round(zoom)); big = rem / stretch; };

export const stretched = () => stretch;

/** Density cells and their legend: on a dark ground more is brighter. */
export const densityColour = (entry) => (dark ? DARK_DENSITY[entry.value] : entry.colour);

/** Leaflet 1.9 lost a function that vector grids call, and knows circles only. */
export function install() {
  if (!L.DomEvent.fakeStop) L.DomEvent.fakeStop = () => true;
  const begin = L.Canvas.Tile.prototype.initialize;
  const ask = L.VectorGrid.Protobuf.prototype._getVectorTilePromise;
  L.VectorGrid.Protobuf.include({ // a tile of 512 px is that of the zoom above
    _getVectorTilePromise(coords) { return ask.call(this, { x: coords.x, y: coords.y, z: coords.z - (this.options.tileSize === 512 ? 1 : 0) }); },
  });
  L.Canvas.Tile.include({
    initialize(coord, size, options) {
      const ratio = Math.min((window.devicePixelRatio || 1) * Math.max(stretch, 1), 2);
      begin.call(this, coord, size, options);
      if (ratio === 1) return;
      this._container.setAttribute('width', size.x * ratio);
      this._container.setAttribute('height', size.y * ratio);
      this._ctx.scale(ratio, ratio);
    },
  });
  const circle = {
    _updateCircle(layer) {
      if (!this._drawing || layer._empty()) return;
      const { options: o, _point: p } = layer;
      const r = Math.max(layer._radius, 1) * (o.shape === 'text' ? 1 : big);
      if (o.shape === 'text') {
        layer._fits ??= room(this, o, p);
        return layer._fits ? label(this._ctx, o.text, p.x, p.y, o) : undefined;
      }
      outline(this._ctx, o.shape, p.x, p.y, r);
      this._fillStroke(this._ctx, layer);
      if (o.text) label(this._ctx, o.text, p.x, p.y, { color: '#fff', size: Math.min(13 * big, r), plain: true });
    },
  };
  const plain = L.Canvas.prototype._fillStroke;
  L.Canvas.Tile.include({
    _fillStroke(ctx, layer) {
      plain.call(this, ctx, layer);
      if (!layer.options.hatch) return;
      ctx.save();
      ctx.fillStyle = hatching(ctx, layer.options.hatch);
      ctx.fill(layer.options.fillRule || 'evenodd');
      ctx.restore();
    },
  });
  L.Canvas.include(circle);
  L.Canvas.Tile.include(circle);
}

/** Slanted lines, for what is not to be trusted as it stands. */
export function hatching(ctx, colour) {
  const side = 8 * big;
  const tile = document.createElement('canvas');
  tile.width = side;
  tile.height = side;
  const pen = tile.getContext('2d');
  pen.strokeStyle = colour;
  pen.lineWidth = 1.6 * big;
  pen.lineCap = 'square';
  for (const x of [-side, 0, side]) {
    pen.beginPath();
    pen.moveTo(x, side);
    pen.lineTo(x + side, 0);
    pen.stroke();
  }
  return ctx.createPattern(tile, 'repeat');
}

function corners(n, r, turn, inner = 1) {
  return Array.from({ length: n }, (_, i) => {
    const angle = turn + (i * 2 * Math.PI) / n;
    const q = i % 2 ? r * inner : r;
    return [q * Math.cos(angle), q * Math.sin(angle)];
  });
}

/** Corners of a shape around (0, 0); null: a circle. */
function shapeOf(shape, r) {
  const up = -Math.PI / 2;
  const s = r * 0.38;
  const side = r * 0.85;
  if (shape === 'square') return [[-side, -side], [side, -side], [side, side], [-side, side]];
  if (shape === 'triangle') return corners(3, r * 1.15, up).map(([x, y]) => [x, y + r * 0.15]);
  if (shape === 'diamond') return corners(4, r * 1.15, 0);
  if (shape === 'pentagon') return corners(5, r * 1.05, up);
  if (shape === 'star') return corners(10, r * 1.3, up, 0.48);
  if (shape === 'cross') return [[-s, -r], [s, -r], [s, -s], [r, -s], [r, s], [s, s], [s, r], [-s, r], [-s, s], [-r, s], [-r, -s], [-s, -s]];
  return null;
}

export function outline(ctx, shape, x, y, r) {
  const points = shapeOf(shape, r);
  ctx.beginPath();
  if (!points) { ctx.arc(x, y, r, 0, Math.PI * 2); return; }
  points.forEach(([dx, dy], i) => ctx[i ? 'lineTo' : 'moveTo'](x + dx, y + dy));
  ctx.closePath();
}

/** Whether a name finds room on its tile beside those that are there already; it keeps it. */
function room(renderer, o, { x, y }) {
  const taken = (renderer._taken ||= []);
  const wide = 0.55 * o.size * String(o.text).length + 4;
  const high = 0.65 * o.size + 1;
  const box = [x - wide, y - high, x + wide, y + high];
  if (taken.some((b) => box[0] < b[2] && b[0] < box[2] && box[1] < b[3] && b[1] < box[3])) return false;
  taken.push(box);
  return true;
}

function label(ctx, text, x, y, o) {
  ctx.font = `${o.bold ? '600 ' : ''}${o.size || 12}px ${FONT}`;
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  if (!o.plain) {
    ctx.lineWidth = 3;
    ctx.lineJoin = 'round';
    ctx.strokeStyle = dark ? 'rgba(10,15,20,0.9)' : 'rgba(255,255,255,0.9)';
    ctx.strokeText(text, x, y);
  }
  ctx.fillStyle = o.plain ? o.color : dark ? '#dfe8f0' : o.color;
  ctx.fillText(text, x, y);
}

export function entryOf(style, properties) {
  const value = style.by ? properties[style.by] ?? '' : '';
  return style.entries.find((e) => String(e.value) === String(value)) || (style.optional ? null : style.entries[style.entries.length - 1]);
}

/** Ranked colours: on a dark ground more is brighter, and nothing is not painted. */
export function themed(style) {
  if (style.by !== 'rank' || !dark) return style;
  if (style.fixed) return { ...style, entries: style.entries.map((e) => (Number(e.value) === -1 ? { ...e, colour: '#1b232c' } : e)) };
  const ranks = style.entries.filter((e) => Number(e.value) >= 0);
  const colours = ranks.map((e) => e.colour).reverse();
  const turned = new Map(ranks.map((e, i) => [e.value, colours[i]]));
  const colour = (e) => turned.get(e.value) || (Number(e.value) === -1 ? '#1b232c' : '#4b5563');
  return { ...style, entries: style.entries.map((e) => ({ ...e, colour: colour(e) })) };
}

/** Leaflet's options for a feature of a layer, as a function of its properties. */
export function styleOf(layer) {
  const style = themed(layer.style);
  return (p, zoom) => {
    if (p.count !== undefined) return layer.crowd === 'density' ? cell(layer, p) : cluster(p);
    const entry = entryOf(style, p);
    if (!entry) return [];
    if (entry.shape === 'text') {
      const level = p.level || 3;
      return { shape: 'text', text: p[style.label] || '', color: entry.colour, bold: level === 1, size: (level === 1 ? 15 : level === 2 ? 13 : 12) * big, radius: 1 };
    }
    if (layer.geometry === 'line') return { color: baseColour(layer, p, entry.colour), weight: big * style.weight * (p.rank === undefined ? 1 : [2.4, 1.8, 1.2, 0.8][p.rank]), opacity: 1 };
    if (layer.geometry === 'polygon') return area(layer, style, entry, p, zoom);
    const mark = markOf(style, p);
    const rim = dark ? '#0b1016' : '#ffffff';
    return { shape: entry.shape, radius: style.radius, fill: true, fillColor: entry.colour, fillOpacity: 0.95, color: mark ? mark.colour : rim, weight: mark ? style.mark.weight : 1 };
  };
}

/** Rings around points; what is black on paper is white on a dark wall, in the legend's words too. */
export function marks(style) {
  const entries = style.mark?.entries || [];
  if (!dark) return entries;
  const turned = (e) => ({ ...e, colour: '#ffffff', zh: e.zh.replace('黑', '白'), en: e.en.replace('black', 'white') });
  return entries.map((e) => (e.colour === '#222222' ? turned(e) : e));
}

function markOf(style, p) {
  return style.mark ? entryOf({ ...style.mark, entries: marks(style), optional: true }, p) : null;
}

/** Colour of a layer of the basemap or of borders in this theme. */
export function baseColour(layer, p, colour) {
  const other = dark && DARK[layer.name];
  return Array.isArray(other) ? other[p.rank ?? 3] : other || colour;
}

/** Borders of shapes that are small on the screen are drawn thinner, or a city of 15,000 grids is all border. */
function share(layer, zoom) {
  const wide = layer.size_m && zoom !== undefined ? layer.size_m / (156543.034 / 2 ** zoom) : Infinity;
  return Math.min(Math.max((wide - 6) / 40, 0), 1);
}

function area(layer, style, entry, p, zoom) {
  const ranked = style.by === 'rank';
  const colour = baseColour(layer, p, entry.colour);
  const empty = ranked && Number(entry.value) < 0;
  const border = ranked ? (dark ? '#52606e' : '#7c8a97') : colour;
  const mark = markOf(style, p);
  if (mark && mark.shape !== 'hatch') return { fill: style.opacity > 0, fillColor: colour, fillOpacity: style.opacity, stroke: true, color: mark.colour, weight: style.mark.weight * big, opacity: 0.95 };
  return {
    hatch: mark?.colour,
    fill: style.opacity > 0, fillColor: colour, fillOpacity: empty && Number(entry.value) === -1 ? 0.08 : ranked && dark ? RANKED_DARK : style.opacity,
    stroke: style.weight > 0, color: border, weight: Math.max(style.weight * share(layer, zoom), 0.3) / stretch, opacity: ranked ? 0.55 : 0.9,
  };
}

function cell(layer, p) {
  const entry = layer.density[p.rank];
  return { fill: true, fillColor: densityColour(entry), fillOpacity: dark ? 0.85 : 0.75, stroke: false };
}

function cluster(p) {
  const n = p.count;
  const bad = p.bad || p.overdue;
  const text = n > 9999 ? `${Math.round(n / 1000)}k` : String(n);
  return { shape: 'circle', radius: Math.min(9 + 4.2 * Math.log10(n), 20), fill: true, fillColor: dark ? '#4a6f8c' : '#33566f', fillOpacity: 0.92, color: bad ? '#ff4d3d' : '#ffffff', weight: bad ? 2.5 : 1, text };
}

const svg = (tag, attributes) => {
  const node = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
};

/** A small picture for the legend: the colour and the shape as on the map. */
/** Areas that lie on the map with an opacity have it in the legend too: else a colour there would be another class here. */
function seenThrough(entry, { opacity }) {
  if (opacity === undefined) return 0.9;
  return Number(entry.value) === -1 ? 0.08 : dark ? Math.max(opacity, RANKED_DARK) : opacity;
}

export function swatch(entry, layer) {
  const picture = svg('svg', { viewBox: '0 0 22 16', class: 'swatch', 'aria-hidden': 'true' });
  const look = { fill: entry.colour || 'none', stroke: entry.ring || (dark ? '#9fb0bf' : '#55626c'), 'stroke-width': entry.ring ? 2.5 : 1 };
  if (entry.shape === 'text') {
    const word = svg('text', { x: 11, y: 12, 'text-anchor': 'middle', 'font-size': 11, fill: dark ? '#dfe8f0' : entry.colour });
    word.textContent = '字';
    picture.append(word);
  } else if (layer.geometry === 'line') {
    picture.append(svg('path', { d: 'M1 8H21', stroke: entry.colour, 'stroke-width': 3 }));
  } else if (layer.geometry === 'polygon' || layer.crowd === 'density-legend') {
    picture.append(svg('rect', { x: 2.5, y: 2.5, width: 17, height: 11, ...look, 'fill-opacity': seenThrough(entry, layer) }));
    if (entry.ring && entry.shape === 'hatch') picture.append(svg('path', { d: 'M3 9L8 3M3 13L12 3M8 13L16 3M12 13L19 5M16 13L19 9', stroke: entry.ring, 'stroke-width': 1.2 }));
  } else {
    const points = shapeOf(entry.shape, 6);
    const at = { transform: 'translate(11 8)', ...look, ...(entry.ring ? { fill: 'none' } : {}) };
    picture.append(points ? svg('polygon', { points: points.map((c) => c.map((v) => v.toFixed(2)).join()).join(' '), ...at }) : svg('circle', { r: 6, ...at }));
  }
  return picture;
}
