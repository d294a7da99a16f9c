/* Map pages over vector tiles. Everything that comes from data is written with textContent, never as HTML. */
(function () {
  'use strict';
  var santu = window.santu, look = santu.look, entryOf = look.entryOf;
  var TEXT = {
    zh: { colon: '：', code: '网格编码', above: '上级网格', search: '网格编码或名称', none: '没有找到', failed: '部分图层未能载入，请检查服务', legend: '图例', more: '网格指标',
          cluster: '聚合点（数字为数量）', bad: '红圈：一成以上逾期或异常', hiddenCount: '不显示（人数过少）', rank: '等级', yes: '是', no: '否' },
    en: { colon: ': ', code: 'grid code', above: 'grid above', search: 'grid code or name', none: 'nothing found', failed: 'some layers could not be loaded', legend: 'Legend', more: 'Indicators',
          cluster: 'cluster (number: how many)', bad: 'red ring: over 10 % overdue or out of order', hiddenCount: 'not shown (small count)', rank: 'rank', yes: 'yes', no: 'no' }
  };
  var lang = 'zh', words = TEXT.zh;
  function say(o) { return o[lang] || o.zh; }
  function el(tag, text, attributes) {
    var node = document.createElement(tag);
    if (text !== undefined && text !== null) { node.textContent = text; }
    Object.keys(attributes || {}).forEach(function (k) { node.setAttribute(k, attributes[k]); });
    return node;
  }

  /* A failed tile is an empty tile and a note, not an error without end. */
  var plainFetch = window.fetch ? window.fetch.bind(window) : null;
  function emptyResponse() { return new Response(new ArrayBuffer(0)); }
  santu.tileFrom = null;  // set by the file version: (layer, z, x, y) -> Promise of bytes or null
  window.fetch = function (url, options) {
    var tile = /(?:^|\/)tiles\/([^/]+)\/(\d+)\/(\d+)\/(\d+)\.mvt/.exec(String(url));
    if (!tile) { return plainFetch(url, options); }
    var answer = santu.tileFrom ? santu.tileFrom(tile[1], +tile[2], +tile[3], +tile[4]).then(function (bytes) {
      return bytes ? new Response(bytes) : emptyResponse();
    }) : plainFetch(url, options).then(function (r) {
      if (!r.ok) { throw new Error(r.status); }
      return r.status === 204 ? emptyResponse() : r;
    });
    return answer.catch(function () { note(words.failed); return emptyResponse(); });
  };
  /* The file version: tiles come in blocks of scripts, which a page opened from disk may load. */
  var blocks = {}, waiting = {};
  santu.block = function (name, tiles) { blocks[name] = tiles; };
  santu.files = function (listing) {
    santu.tileFrom = function (layer, z, x, y) {
      var name = layer + '/' + z + '-' + (x >> listing.shift) + '-' + (y >> listing.shift);
      if (listing.blocks.indexOf(name) < 0) { return Promise.resolve(null); }
      waiting[name] = waiting[name] || new Promise(function (done, failed) {
        var script = el('script', null, { src: 'tiles/' + name + '.js' });
        script.onload = done;
        script.onerror = failed;
        document.head.appendChild(script);
      });
      return waiting[name].then(function () {
        var text = blocks[name][x + '/' + y];
        if (!text) { return null; }
        var raw = Uint8Array.from(atob(text), function (c) { return c.charCodeAt(0); });
        return new Response(new Blob([raw]).stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
      });
    };
  };
  function note(text) {
    var box = document.querySelector('.santu-note');
    if (box) { box.textContent = text; box.hidden = false; }
  }

  /* What lies under a place: asked of the tiles that are on the screen, top layer first. */
  function hits(map, latlng, confs) {
    var found = [], zoom = Math.round(map.getZoom()), point = map.project(latlng, zoom), scale = look.SIDE;
    confs.slice().reverse().forEach(function (conf) {
      var layer = conf.layer;
      if (!map.hasLayer(layer) || !conf.click) { return; }
      Object.keys(layer._vectorTiles || {}).forEach(function (key) {
        var tile = layer._vectorTiles[key], c = tile._tileCoord;
        if (c.z !== zoom) { return; }
        var p = point.subtract(c.scaleBy(L.point(scale, scale)));
        if (p.x < -16 || p.y < -16 || p.x > scale + 16 || p.y > scale + 16) { return; }
        var inside = p.x >= 0 && p.y >= 0 && p.x < scale && p.y < scale;
        Object.keys(tile._features).forEach(function (id) {
          var f = tile._features[id].feature;
          if (conf.geometry !== 'point' && !inside) { return; }
          if (!f._pxBounds) { f.makeInteractive(); }
          if (f._containsPoint(p)) {
            if (!found.some(function (h) { return h.conf === conf && h.id === id; })) { found.push({ conf: conf, id: id, properties: f.properties }); }
          }
        });
      });
    });
    return found;
  }
  /* The name of a column as English words. */
  function plainly(name) { return name.replace(/_/g, ' '); }
  function row(table, name, value) {
    var tr = el('tr');
    tr.appendChild(el('th', name, { scope: 'row' }));
    tr.appendChild(el('td', value));
    table.appendChild(tr);
  }
  function wordOf(conf, field, value) {
    var known = conf.words[field];
    if (field === 'overdue') { return value ? words.yes : words.no; }
    if (/_at$/.test(field) && /Z$/.test(value)) { return new Date(value).toLocaleString(lang === 'zh' ? 'zh-CN' : 'en-GB', { timeZone: santu.config.timezone, hour12: false }).slice(0, -3); }
    return known && known[value] !== undefined ? known[value] : value;
  }
  function card(hit) {
    var box = el('section'), p = hit.properties, conf = hit.conf, table = el('table');
    box.appendChild(el('h2', p.name || p[conf.fields[0][0]] || say(conf.title)));
    if (p.count !== undefined) { row(table, say(conf.title), p.count); }
    conf.fields.forEach(function (f) {
      if (p[f[0]] !== undefined && f[0] !== 'name' && f[0] !== 'parent_id') { row(table, lang === 'zh' ? f[1] : plainly(f[0]), wordOf(conf, f[0], p[f[0]])); }
    });
    if (p.rank !== undefined && conf.indicator) {
      var e = entryOf(conf.style, p);
      row(table, say(conf.indicator), p.value === undefined ? words.hiddenCount : amount(p.value, conf.indicator.unit));
      row(table, words.rank, say(e));
      Object.keys(p).filter(function (k) { return k.slice(0, 2) === 'w_'; }).sort().forEach(function (k) {
        row(table, k.slice(2), p[k] === '*' ? words.hiddenCount : p[k] + ' ' + conf.indicator.unit);
      });
    }
    box.appendChild(table);
    return box;
  }
  /* A value without a unit is a share. */
  function amount(v, unit) { return unit ? Math.round(v * 1000) / 1000 + ' ' + unit : Math.round(v * 1000) / 10 + ' %'; }
  function more(box, hit, popup) {
    if (santu.tileFrom || !hit || !hit.properties.grid_id) { return; }
    plainFetch(santu.config.base + '/v1/grids/' + encodeURIComponent(hit.properties.grid_id)).then(function (r) {
      return r.ok ? r.json() : null;
    }).then(function (grid) {
      if (!grid) { return; }
      var table = el('table');
      Object.keys(grid.indicators).forEach(function (k) {
        var i = grid.indicators[k], v = i.value;
        row(table, lang === 'zh' ? i.zh : plainly(k), v === null ? '—' : amount(v, i.unit));
      });
      box.appendChild(el('h2', words.more));
      box.appendChild(table);
      popup.update();
    }).catch(function () { note(words.failed); });
  }
  /* A town or village that was searched for has a card of its own, not that of the grid at its middle. */
  function named(g) {
    var box = el('section'), table = el('table');
    box.appendChild(el('h2', g.name || g.grid_id));
    row(table, words.code, g.grid_id);
    if (g.parent) { row(table, words.above, g.parent); }
    box.appendChild(table);
    return box;
  }
  santu.cardAt = function (latlng, wanted) {
    var found = hits(santu.map, latlng, santu.confs);
    if (!found.length && !wanted) { return false; }
    var box = el('div', null, { 'class': 'santu-card' }), grid = found.filter(function (h) { return h.properties.grid_id; })[0];
    found.filter(function (h) { return !h.properties.grid_id; }).slice(0, 8).forEach(function (h) { box.appendChild(card(h)); });
    var popup = L.popup({ maxWidth: 420, minWidth: 260, autoPanPadding: [24, 24] }).setLatLng(latlng).setContent(box);
    if (wanted && !(grid && grid.properties.grid_id === wanted.grid_id)) {
      box.textContent = '';
      box.appendChild(named(wanted));
      more(box, { properties: wanted }, popup);
    } else if (grid) { box.appendChild(card(grid)); more(box, grid, popup); }
    santu.last = found;
    popup.openOn(santu.map);
    return true;
  };

  /* Legend: words, colour and shape; a tick hides a kind. */
  function swatch(e, style, geometry) {
    var c = el('canvas', null, { width: 48, height: 36, 'aria-hidden': 'true' }), ctx = c.getContext('2d');
    ctx.scale(1.5, 1.5);
    ctx.fillStyle = e.colour; ctx.strokeStyle = style.outline ? e.colour : '#55626c'; ctx.lineWidth = style.outline ? 3 : 1;
    if (geometry === 'line') { ctx.strokeStyle = e.colour; ctx.lineWidth = 3; ctx.beginPath(); ctx.moveTo(2, 12); ctx.lineTo(30, 12); ctx.stroke(); return c; }
    if (style.over) {
      ctx.strokeStyle = e.colour; ctx.lineWidth = e.shape === 'hatch' ? 1 : 3;
      if (e.shape === 'hatch') { ctx.fillStyle = look.hatching(ctx, e.colour); ctx.fillRect(4, 4, 24, 16); }
      ctx.strokeRect(4, 4, 24, 16); return c;
    }
    if (geometry === 'polygon') {
      ctx.globalAlpha = Math.max(style.opacity, 0.15); ctx.fillRect(4, 4, 24, 16); ctx.globalAlpha = 1;
      ctx.strokeStyle = style.opacity < 0.2 ? e.colour : '#7b8790'; ctx.lineWidth = Math.max(style.weight, 1); ctx.strokeRect(4, 4, 24, 16); return c;
    }
    look.draw(ctx, e.shape, 16, 12, 8);
    if (!style.outline) { ctx.fill(); }
    ctx.stroke();
    return c;
  }
  function legendOf(conf, box) {
    var style = conf.style, list = el('ul');
    if (conf.members.length > 1) {
      box.appendChild(el('h2', say(conf.title)));
      conf.members.forEach(function (m) {
        if (m.rows) { line(list, null, '', say(m.title), swatch(m.style.entries[0], m.style, m.geometry)); }
      });
      box.appendChild(list);
      return;
    }
    box.appendChild(el('h2', conf.indicator ? say(conf.title) + words.colon + say(conf.indicator) : say(conf.title)));
    var lines = conf.crowd === 'density' ? conf.density : style.entries;
    /* what is out of order stands first: on a small screen the rest may need scrolling */
    (style.mark ? style.mark.entries : []).forEach(function (e) {
      var ring = conf.geometry === 'polygon' ? swatch(e, { over: true }, 'polygon') : swatch({ colour: e.colour, shape: 'circle' }, { outline: true }, 'point');
      line(list, null, e.value, say(e), ring, conf.marks && conf.marks[e.value]);
    });
    lines.forEach(function (e) {
      if (conf.counts && style.by === conf.pick && !conf.counts[e.value]) { return; }
      var picked = style.by && style.by === conf.pick;
      line(list, picked && conf, e.value, say(e), swatch(e, style, conf.crowd === 'density' ? 'polygon' : conf.geometry), picked && conf.counts[e.value]);
    });
    if (conf.crowd === 'cluster' && conf.clusters) {
      line(list, null, '', words.cluster, swatch({ colour: '#33566f', shape: 'circle' }, {}, 'point'));
      line(list, null, '', words.bad, swatch({ colour: '#ff4d3d', shape: 'circle' }, { outline: true }, 'point'));
    }
    box.appendChild(list);
    if (conf.pick && conf.pick !== style.by) {
      var kinds = el('ul', null, { 'class': 'santu-kinds' });
      Object.keys(conf.words[conf.pick]).forEach(function (value) {
        if (conf.counts[value]) { line(kinds, conf, value, conf.words[conf.pick][value], null, conf.counts[value]); }
      });
      box.appendChild(kinds);
    }
  }
  function line(list, conf, value, text, picture, number) {
    var li = el('li'), target = li;
    if (conf) {
      target = el('label');
      var tick = el('input', null, { type: 'checkbox', value: value });
      tick.checked = true;
      tick.addEventListener('change', function () {
        var off = santu.hidden[conf.name] = santu.hidden[conf.name] || {};
        if (tick.checked) { delete off[value]; } else { off[value] = true; }
        conf.layer.redraw();
      });
      target.appendChild(tick);
      li.appendChild(target);
    }
    if (picture) { target.appendChild(picture); }
    target.appendChild(el('span', text));
    if (number !== undefined && number !== false && number !== null) { li.appendChild(el('span', number.toLocaleString(), { 'class': 'n' })); }
    list.appendChild(li);
  }
  function legend(map, confs) {
    var control = L.control({ position: 'bottomleft' });
    control.onAdd = function () {
      var box = el('section', null, { 'class': 'santu-legend', 'aria-label': words.legend });
      confs.filter(function (c) { return c.legend; }).forEach(function (c) { legendOf(c, box); });
      L.DomEvent.disableClickPropagation(box);
      L.DomEvent.disableScrollPropagation(box);
      return box;
    };
    control.addTo(map);
  }

  /* Search by grid code or name. */
  function ask(text) {
    if (santu.index) {
      var t = text.toLowerCase(), rows = santu.index.filter(function (g) { return g[0].toLowerCase().indexOf(t) === 0 || (g[1] || '').indexOf(text) >= 0; });
      return Promise.resolve(rows.slice(0, 12).map(function (g) { return { grid_id: g[0], name: g[1], parent: g[2], bbox: g[3], at: g[4] }; }));
    }
    return plainFetch(santu.config.base + '/maps/search?q=' + encodeURIComponent(text)).then(function (r) { return r.ok ? r.json() : []; });
  }
  function search(map) {
    var form = document.querySelector('.santu-search'), input = form.querySelector('input'), list = form.querySelector('ul'), at = -1, rows = [], turn = 0;
    function show(found) {
      rows = found; at = -1; list.textContent = ''; list.hidden = false;
      input.setAttribute('aria-expanded', 'true');
      found.forEach(function (g, i) {
        var li = el('li', g.name || g.grid_id, { role: 'option', id: 'santu-found-' + i });
        li.appendChild(el('small', g.grid_id + (g.parent ? ' · ' + g.parent : '')));
        li.addEventListener('mousedown', function (e) { e.preventDefault(); go(g); });
        list.appendChild(li);
      });
      if (!found.length) { list.appendChild(el('li', words.none, { role: 'option', 'aria-disabled': 'true' })); }
    }
    function close() { list.hidden = true; input.setAttribute('aria-expanded', 'false'); input.removeAttribute('aria-activedescendant'); }
    function go(g) {
      close();
      input.value = g.name || g.grid_id;
      santu.goTo(g);
    }
    function pick(i) {
      at = i;
      Array.prototype.forEach.call(list.children, function (li, k) { li.setAttribute('aria-selected', k === i ? 'true' : 'false'); });
      if (rows[i]) { input.setAttribute('aria-activedescendant', 'santu-found-' + i); }
    }
    input.addEventListener('input', function () {
      var text = input.value.trim(), mine = ++turn;
      if (!text) { return close(); }
      ask(text).then(function (found) { if (mine === turn) { show(found); } }).catch(function () { note(words.failed); });
    });
    input.addEventListener('keydown', function (e) {
      if (e.key === 'ArrowDown' && rows.length) { pick((at + 1) % rows.length); e.preventDefault(); }
      else if (e.key === 'ArrowUp' && rows.length) { pick((at - 1 + rows.length) % rows.length); e.preventDefault(); }
      else if (e.key === 'Escape') { close(); }
    });
    input.addEventListener('blur', close);
    form.addEventListener('submit', function (e) {
      e.preventDefault();
      if (rows.length && !list.hidden) { return go(rows[Math.max(at, 0)]); }
      ask(input.value.trim()).then(function (found) { if (found.length) { go(found[0]); } else { show(found); } });
    });
  }
  santu.goTo = function (g) {
    var map = santu.map, b = g.bbox;
    map.closePopup();
    map.once('moveend', function () { whenLoaded(function () { santu.cardAt(L.latLng(g.at[1], g.at[0]), g); }); });
    map.fitBounds([[b[1], b[0]], [b[3], b[2]]], { maxZoom: 16, padding: [40, 40], animate: false });
  };
  function whenLoaded(done) {
    var waiting = santu.confs.filter(function (c) { return santu.map.hasLayer(c.layer) && c.layer.isLoading(); });
    if (!waiting.length) { return done(); }
    waiting[0].layer.once('load', function () { setTimeout(function () { whenLoaded(done); }, 0); });
  }
  santu.whenLoaded = whenLoaded;

  /* Before any layer is added: the view of the address, else the whole city. */
  santu.begin = function (map, config) {
    lang = config.lang; words = TEXT[lang] || TEXT.zh;
    santu.map = map; santu.config = config;
    /* A single layer is its own and only member. */
    santu.confs = config.layers.map(function (c) { return c.members.length === 1 ? Object.assign({}, c.members[0], c) : c; });
    var bounds = config.bounds;
    map.on('zoom', look.stretched);
    map.options.zoomSnap = 0; /* the city fills the screen; what is zoomed afterwards goes by whole steps */
    var at = /^#(\d+(?:\.\d+)?)\/(-?[\d.]+)\/(-?[\d.]+)$/.exec(location.hash);
    if (at) { map.setView([+at[2], +at[3]], +at[1], { animate: false }); }
    else { map.fitBounds(bounds, { animate: false, padding: [10, 10] }); }
    map.options.zoomSnap = 1;
    var whole = Math.floor(map.getZoom() + 0.02); /* tiles that are not stretched move faster; a whole step in would cut the city */
    if (map.getZoom() - whole < 0.2) { map.setZoom(whole, { animate: false }); }
    look.stretched();
  };

  santu.page = function (layers) {
    var map = santu.map, config = santu.config;
    santu.confs.forEach(function (c) { c.layer = layers[c.name]; });
    L.control.scale({ imperial: false }).addTo(map);
    map.attributionControl.setPrefix(false);
    legend(map, santu.confs);
    search(map);
    map.on('click', function (e) { santu.cardAt(e.latlng); });
    map.on('moveend', function () {
      var c = map.getCenter();
      history.replaceState(null, '', '#' + Number(map.getZoom().toFixed(2)) + '/' + c.lat.toFixed(5) + '/' + c.lng.toFixed(5));
    });
    if (config.missing) { note(config.missing); }
    new ResizeObserver(function () { map.invalidateSize(); }).observe(map.getContainer());
    whenLoaded(function () { santu.ready = true; document.documentElement.setAttribute('data-ready', 'true'); });
  };
}());
