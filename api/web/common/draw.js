// How features look: shapes on Leaflet's canvas, styles of the catalogue, and what a dark wall changes.

const L = window.L;
const FONT = '"Noto Sans CJK SC","Microsoft YaHei","PingFang SC","Source Han Sans SC",sans-serif';
const DARK = {
  boundary: '#6f8296', water: '#17354d', waterways: '#23506f', buildings: '#2b333d', villages: '#6f8398', towns: '#c6d4e1', dedicated_grids: '#b18be0',
  micro_grids: '#7d8b97', roads: ['#8a6a2c', '#75602f', '#515c68', '#3b4550'],
};
const DARK_DENSITY = ['#33203f', '#54245a', '#7b2a62', '#a43a58', '#c95245', '#e57931', '#f7a82c', '#fde267'];
let dark = false;
let big = 1; // how much larger than on a desk everything is drawn, so that a wall is read from across the room

export const setDark = (value) => { dark = value; };

export const setScale = (value) => { big = Math.min(Math.max(value, 1), 2.2); };

/** Density cells and their legend: on a dark ground more is brighter. */
export const densityColour = (entry) => (dark ? DARK_DENSITY[entry.value] : entry.colour);

/** Leaflet 1.9 lost a function that vector grids call, and knows circles only. */
export function install() {
  if (!L.DomEvent.fakeStop) L.DomEvent.fakeStop = () => true;
  const ratio = Math.min(window.devicePixelRatio || 1, 2);
  const begin = L.Canvas.Tile.prototype.initialize;
  L.Canvas.Tile.include({
    initialize(coord, size, options) {
      begin.call(this, coord, size, options);
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
function hatching(ctx, colour) {
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

function polygon(ctx, x, y, r, n, turn, inner) {
  for (let i = 0; i < n; i += 1) {
    const a = turn + (i * 2 * Math.PI) / n;
    const q = inner && i % 2 ? r * inner : r;
    ctx[i ? 'lineTo' : 'moveTo'](x + q * Math.cos(a), y + q * Math.sin(a));
  }
  ctx.closePath();
}

export function outline(ctx, shape, x, y, r) {
  ctx.beginPath();
  if (shape === 'square') ctx.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7);
  else if (shape === 'triangle') polygon(ctx, x, y + r * 0.15, r * 1.15, 3, -Math.PI / 2);
  else if (shape === 'diamond') polygon(ctx, x, y, r * 1.15, 4, 0);
  else if (shape === 'pentagon') polygon(ctx, x, y, r * 1.05, 5, -Math.PI / 2);
  else if (shape === 'star') polygon(ctx, x, y, r * 1.3, 10, -Math.PI / 2, 0.48);
  else if (shape === 'cross') {
    const s = r * 0.38;
    const corners = [[-s, -r], [s, -r], [s, -s], [r, -s], [r, s], [s, s], [s, r], [-s, r], [-s, s], [-r, s], [-r, -s], [-s, -s]];
    corners.forEach(([dx, dy], i) => ctx[i ? 'lineTo' : 'moveTo'](x + dx, y + dy));
    ctx.closePath();
  } else ctx.arc(x, y, r, 0, Math.PI * 2);
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
  return (p) => {
    if (p.count !== undefined) return layer.crowd === 'density' ? cell(layer, p) : cluster(p);
    const entry = entryOf(style, p);
    if (!entry) return [];
    if (entry.shape === 'text') {
      const level = p.level || 3;
      return { shape: 'text', text: p[style.label] || '', color: entry.colour, bold: level === 1, size: (level === 1 ? 15 : level === 2 ? 13 : 12) * big, radius: 1 };
    }
    if (layer.geometry === 'line') return { color: baseColour(layer, p, entry.colour), weight: big * style.weight * (p.rank === undefined ? 1 : [2.4, 1.8, 1.2, 0.8][p.rank]), opacity: 1 };
    if (layer.geometry === 'polygon') return area(layer, style, entry, p);
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

function area(layer, style, entry, p) {
  const ranked = style.by === 'rank';
  const colour = baseColour(layer, p, entry.colour);
  const empty = ranked && Number(entry.value) < 0;
  const border = ranked ? (dark ? '#52606e' : '#7c8a97') : colour;
  const mark = markOf(style, p);
  if (mark && mark.shape !== 'hatch') return { fill: style.opacity > 0, fillColor: colour, fillOpacity: style.opacity, stroke: true, color: mark.colour, weight: style.mark.weight * big, opacity: 0.95 };
  return {
    hatch: mark?.colour,
    fill: style.opacity > 0, fillColor: colour, fillOpacity: empty && Number(entry.value) === -1 ? 0.08 : ranked && dark ? 0.62 : style.opacity,
    stroke: style.weight > 0, color: border, weight: style.weight, opacity: ranked ? 0.55 : 0.9,
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

/** A small picture for the legend: the colour and the shape as on the map. */
export function swatch(entry, layer) {
  const canvas = document.createElement('canvas');
  canvas.width = 44;
  canvas.height = 32;
  canvas.setAttribute('aria-hidden', 'true');
  const ctx = canvas.getContext('2d');
  ctx.scale(2, 2);
  ctx.strokeStyle = entry.ring || (dark ? '#9fb0bf' : '#55626c');
  ctx.lineWidth = entry.ring ? 2.5 : 1;
  ctx.fillStyle = entry.colour || 'transparent';
  if (entry.shape === 'text') {
    label(ctx, '字', 11, 8, { color: entry.colour, size: 11 });
  } else if (layer.geometry === 'line') {
    ctx.strokeStyle = entry.colour;
    ctx.lineWidth = 3;
    ctx.beginPath();
    ctx.moveTo(1, 8);
    ctx.lineTo(21, 8);
    ctx.stroke();
  } else if (layer.geometry === 'polygon' || layer.crowd === 'density-legend') {
    ctx.globalAlpha = 0.9;
    if (entry.ring && entry.shape === 'hatch') ctx.fillStyle = hatching(ctx, entry.ring);
    if (entry.colour || entry.shape === 'hatch') ctx.fillRect(2, 2, 18, 12);
    ctx.globalAlpha = 1;
    ctx.strokeRect(2.5, 2.5, 17, 11);
  } else {
    outline(ctx, entry.shape, 11, 8, 6);
    if (!entry.ring) ctx.fill();
    ctx.stroke();
  }
  return canvas;
}
