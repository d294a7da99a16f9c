/* How features look on the canvas tiles of the map pages: shapes, marks, names, and styles of the catalogue. */
(function () {
  'use strict';
  var santu = window.santu = { hidden: {}, shown: {} };

  /* leaflet.vectorgrid calls what Leaflet 1.9 no longer has. */
  if (!L.DomEvent.fakeStop) { L.DomEvent.fakeStop = function () { return true; }; }

  /* Tiles are drawn at 512 px: a quarter of the requests. Such a tile is that of the zoom above. */
  var SIDE = 512, promise = L.VectorGrid.Protobuf.prototype._getVectorTilePromise;
  L.VectorGrid.Protobuf.include({
    _getVectorTilePromise: function (coords) { return promise.call(this, { x: coords.x, y: coords.y, z: coords.z - 1 }); }
  });

  /* Shapes, marks and labels on canvas tiles, sharp on dense screens. */
  var stretch = 1; /* how much larger than drawn tiles are shown between two zooms */
  function stretched() { var z = santu.map.getZoom(); stretch = Math.pow(2, z - Math.round(z)); }
  var baseTile = L.Canvas.Tile.prototype.initialize;
  L.Canvas.Tile.include({
    initialize: function (coord, size, options) {
      var ratio = Math.min((window.devicePixelRatio || 1) * Math.max(stretch, 1), 2);
      baseTile.call(this, coord, size, options);
      this._container.setAttribute('width', size.x * ratio);
      this._container.setAttribute('height', size.y * ratio);
      this._ctx.scale(ratio, ratio);
    },
    _updateCircle: function (layer) {
      if (!this._drawing || layer._empty()) { return; }
      var o = layer.options, p = layer._point, r = Math.max(layer._radius, 1);
      if (o.shape === 'text') {
        /* Names come in order of rank: a later one that would cover an earlier one is left out. */
        var w = o.text.length * o.size / 2 + 3, h = o.size * 0.7, taken = this._names = this._names || [];
        if (taken.some(function (t) { return Math.abs(t[0] - p.x) < t[2] + w && Math.abs(t[1] - p.y) < t[3] + h; })) { return; }
        taken.push([p.x, p.y, w, h]);
        return label(this._ctx, o.text, p.x, p.y, o);
      }
      draw(this._ctx, o.shape, p.x, p.y, r);
      this._fillStroke(this._ctx, layer);
      if (o.text) { label(this._ctx, o.text, p.x, p.y, { color: '#fff', size: Math.min(11 / stretch, r), plain: true }); }
    }
  });
  /* Areas that are not to be trusted as they stand are hatched, over their colour. */
  var fillStroke = L.Canvas.Tile.prototype._fillStroke;
  L.Canvas.Tile.include({
    _fillStroke: function (ctx, layer) {
      var o = layer.options;
      fillStroke.call(this, ctx, layer);
      if (!o.hatch) { return; }
      ctx.save();
      ctx.fillStyle = hatching(ctx, o.hatch);
      ctx.fill(o.fillRule || 'evenodd');
      ctx.restore();
    }
  });
  function hatching(ctx, colour) {
    var c = document.createElement('canvas'), side = 8, g = c.getContext('2d');
    c.width = c.height = side;
    g.strokeStyle = colour; g.lineWidth = 1.6; g.lineCap = 'square';
    [-side, 0, side].forEach(function (x) { g.beginPath(); g.moveTo(x, side); g.lineTo(x + side, 0); g.stroke(); });
    return ctx.createPattern(c, 'repeat');
  }
  function polygon(ctx, x, y, r, n, turn, inner) {
    for (var i = 0; i < n; i++) {
      var a = turn + i * 2 * Math.PI / n, q = inner && i % 2 ? r * inner : r;
      ctx[i ? 'lineTo' : 'moveTo'](x + q * Math.cos(a), y + q * Math.sin(a));
    }
    ctx.closePath();
  }
  function draw(ctx, shape, x, y, r) {
    ctx.beginPath();
    if (shape === 'square') { ctx.rect(x - r * 0.85, y - r * 0.85, r * 1.7, r * 1.7); }
    else if (shape === 'triangle') { polygon(ctx, x, y + r * 0.15, r * 1.15, 3, -Math.PI / 2); }
    else if (shape === 'diamond') { polygon(ctx, x, y, r * 1.15, 4, 0); }
    else if (shape === 'pentagon') { polygon(ctx, x, y, r * 1.05, 5, -Math.PI / 2); }
    else if (shape === 'star') { polygon(ctx, x, y, r * 1.3, 10, -Math.PI / 2, 0.48); }
    else if (shape === 'cross') {
      var t = r * 0.38;
      [[-t, -r], [t, -r], [t, -t], [r, -t], [r, t], [t, t], [t, r], [-t, r], [-t, t], [-r, t], [-r, -t], [-t, -t]]
        .forEach(function (d, i) { ctx[i ? 'lineTo' : 'moveTo'](x + d[0], y + d[1]); });
      ctx.closePath();
    } else { ctx.arc(x, y, r, 0, Math.PI * 2); }
  }
  function label(ctx, text, x, y, o) {
    ctx.font = (o.bold ? '600 ' : '') + (o.size || 12) + 'px "Noto Sans CJK SC","Microsoft YaHei","PingFang SC",sans-serif';
    ctx.textAlign = 'center';
    ctx.textBaseline = 'middle';
    if (!o.plain) { ctx.lineWidth = 3; ctx.lineJoin = 'round'; ctx.strokeStyle = 'rgba(255,255,255,0.9)'; ctx.strokeText(text, x, y); }
    ctx.fillStyle = o.color;
    ctx.fillText(text, x, y);
  }

  /* From a style of the catalog to what Leaflet draws. */
  function entryOf(style, properties) {
    var value = style.by ? properties[style.by] : '';
    if (value === undefined) { value = ''; }
    for (var i = 0; i < style.entries.length; i++) {
      if (String(style.entries[i].value) === String(value)) { return style.entries[i]; }
    }
    return style.last === false ? null : style.entries[style.entries.length - 1];
  }
  function markOf(style, p) { return style.mark && entryOf(Object.assign({ last: false }, style.mark), p); }
  function troubled(p) { return ((p.bad || 0) + (p.overdue || 0)) * 10 > p.count; }
  function hiddenIn(name, value) { return (santu.hidden[name] || {})[value]; }
  function clusterCount(conf, p) {
    var off = Object.keys(santu.hidden[conf.name] || {}), n = p.count;
    if (!conf.parts) { return n; }
    off.forEach(function (value) { n -= p['n_' + value] || 0; });
    return n;
  }
  /* Symbols, names and lines have their size on the screen, whatever the tiles are stretched by. */
  santu.styleOf = function (conf) {
    var plain = styleAt(conf);
    return function (p, zoom) {
      var look = plain(p, zoom);
      ['radius', 'size', 'weight'].forEach(function (k) { if (look[k]) { look[k] /= stretch; } });
      return look;
    };
  };
  function styleAt(conf) {
    var style = conf.style, geometry = conf.geometry;
    return function (p, zoom) {
      if (conf.crowd === 'density' && p.count !== undefined) {
        var cell = conf.density[p.rank];
        return { fill: true, fillColor: cell.colour, fillOpacity: 0.75, stroke: false };
      }
      if (p.count !== undefined) {
        var n = clusterCount(conf, p);
        if (n <= 0) { return []; }
        return { shape: 'circle', radius: Math.min(7.5 + 2.2 * Math.log10(n), 15), fill: true, fillColor: '#33566f', fillOpacity: 0.9,
                 color: troubled(p) ? '#ff4d3d' : '#ffffff', weight: troubled(p) ? 2.5 : 1, text: n > 9999 ? Math.round(n / 1000) + 'k' : String(n) };
      }
      var e = entryOf(style, p);
      if (!e || (conf.pick && hiddenIn(conf.name, p[conf.pick]))) { return []; }
      if (e.shape === 'text') {
        var level = p.level || 3;
        return { shape: 'text', text: p[style.label] || '', color: e.colour, bold: level === 1, size: level === 1 ? 15 : level === 2 ? 13 : 12, radius: 1 };
      }
      if (geometry === 'line') { return { color: e.colour, weight: style.weight * (conf.widths && p.rank !== undefined ? conf.widths[p.rank] : 1), opacity: 1 }; }
      if (geometry === 'polygon') {
        /* Borders of shapes that are small on the screen are drawn thinner, as on paper. */
        var share = conf.size_m ? Math.min(Math.max((conf.size_m / (156543.034 / Math.pow(2, zoom)) - 6) / 40, 0), 1) : 1;
        var look = { fill: style.opacity > 0, fillColor: e.colour, fillOpacity: style.by === 'rank' && e.value === -1 ? 0.04 : style.opacity, stroke: style.weight * share > 0.08, color: conf.border || e.colour, weight: Math.max(style.weight * share, 0.3), opacity: 0.9 };
        var over = markOf(style, p);
        if (over && over.shape === 'hatch') { look.hatch = over.colour; }
        else if (over) { look.stroke = true; look.color = over.colour; look.weight = style.mark.weight; }
        return look;
      }
      var mark = markOf(style, p);
      return { shape: e.shape, radius: style.radius, fill: true, fillColor: e.colour, fillOpacity: 0.95, color: mark ? mark.colour : '#ffffff', weight: mark ? style.mark.weight : 1 };
    };
  }
  santu.options = function (name) {
    var styles = {}, conf = santu.confs.filter(function (c) { return c.name === name; })[0];
    conf.members.forEach(function (part) { styles[part.name] = santu.styleOf(Object.assign(part, { pick: conf.pick })); });
    return { rendererFactory: L.canvas.tile, vectorTileLayerStyles: styles, interactive: false, tileSize: SIDE, minZoom: conf.minzoom + 1, maxZoom: 22,
             getFeatureId: function (f) { return f.id; }, updateWhenZooming: false, keepBuffer: 1, zIndex: conf.z, className: 'santu-' + conf.name };
  };
  santu.look = { SIDE: SIDE, draw: draw, entryOf: entryOf, hatching: hatching, stretched: stretched };
}());
