// Planner: what is covered, what is not, what a plan would change, and the work list as a file.

import { get } from '/static/console/api.js';
import { byId, el, fill, notify } from '/static/console/dom.js';
import { install, styleOf } from '/static/console/draw.js';

const L = window.L;
const SHARES = [0, 0.2, 0.4, 0.6, 0.8];
const CAMERAS_FROM = 15;
const percent = (v) => (v === null || v === undefined || Number.isNaN(v) ? '—' : `${(100 * v).toFixed(1)} %`);
const whole = (v) => Math.round(v).toLocaleString('zh-CN');

const state = { config: null, grid: '', ground: null, shares: new Map(), claim: 'geometric', maps: {}, result: null, adding: false };
const plan = { add: [], turn: {}, lose: [], restore: [] };

async function post(path, body) {
  const response = await fetch(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) });
  if (!response.ok) throw new Error((await response.json().catch(() => ({}))).detail || `HTTP ${response.status}`);
  return response;
}
const fail = (error) => { if (error.name !== 'AbortError') notify(`未能完成：${error.message}`, { error: true }); };

// -- maps --------------------------------------------------------------------------------------------------------

function tileLayer(name, members) {
  const styles = {};
  for (const m of members) styles[m.name] = m.paint || styleOf(m);
  return L.vectorGrid.protobuf(`/tiles/${name}/{z}/{x}/{y}.mvt?v=${state.config.versions[name]}`, {
    rendererFactory: L.canvas.tile, vectorTileLayerStyles: styles, maxZoom: 19, keepBuffer: 1, updateWhenZooming: false,
  });
}

function makeMap(id, shares) {
  const map = L.map(id, { zoomControl: id === 'now', maxZoom: 19, minZoom: 7 });
  map.attributionControl.setPrefix(false);
  const [west, south, east, north] = state.config.bounds;
  map.fitBounds([[south, west], [north, east]], { animate: false });
  if (id === 'now') L.control.scale({ imperial: false }).addTo(map);
  const geometry = { boundary: 'polygon', water: 'polygon', buildings: 'polygon', waterways: 'line', roads: 'line', dedicated_grids: 'polygon', villages: 'polygon', towns: 'polygon', grid_labels: 'point' };
  const member = (name) => ({ name, geometry: geometry[name], style: state.config.styles[name] });
  tileLayer('basemap', ['boundary', 'water', 'waterways', 'buildings', 'roads'].map(member)).addTo(map);
  const paint = (p) => {
    const share = shares().get(p.grid_id);
    const rank = share === undefined || share === null ? -1 : SHARES.filter((s) => share >= s).length - 1;
    return { fill: true, fillColor: rank < 0 ? '#cccccc' : state.config.ramp[rank], fillOpacity: 0.5, color: '#7b8790', weight: 0.5, opacity: 0.8 };
  };
  const ground = tileLayer(state.config.grids, [{ name: state.config.grids, paint }]).addTo(map);
  tileLayer('borders', ['dedicated_grids', 'villages', 'towns'].map(member)).addTo(map);
  tileLayer('grid_labels', [member('grid_labels')]).addTo(map);
  const canvas = L.canvas({ padding: 0.3 });
  return { map, ground, canvas, cameras: L.layerGroup().addTo(map), spots: L.layerGroup().addTo(map), change: L.layerGroup().addTo(map) };
}

function sync(from, to) {
  from.on('move', () => { if (!to.syncing) { from.syncing = true; to.setView(from.getCenter(), from.getZoom(), { animate: false }); from.syncing = false; } });
}

function sector(camera, bearing) {
  const o = camera.optics, range = o.range_m, fov = o.fov_deg;
  if (range === null || fov === null || (bearing === null && fov < 360)) return null;
  const steps = Math.max(Math.round(fov / 6), 4), points = fov < 360 ? [[camera.lat, camera.lon]] : [];
  for (let i = 0; i <= steps; i += 1) {
    const a = ((bearing || 0) - fov / 2 + (fov * i) / steps) * Math.PI / 180;
    points.push([camera.lat + (range * Math.cos(a)) / 111320, camera.lon + (range * Math.sin(a)) / (111320 * Math.cos(camera.lat * Math.PI / 180))]);
  }
  return points;
}

async function showCameras() {
  const { map } = state.maps.now;
  for (const m of Object.values(state.maps)) m.cameras.clearLayers();
  if (map.getZoom() < CAMERAS_FROM) return;
  const b = map.getBounds();
  const answer = await get('/v1/cameras', { bbox: [b.getWest(), b.getSouth(), b.getEast(), b.getNorth()].map((v) => v.toFixed(6)).join(','), limit: 1500 }, { kind: 'cameras' });
  for (const [id, m] of Object.entries(state.maps)) {
    m.cameras.clearLayers();
    for (const camera of answer.cameras) drawCamera(m, camera, id === 'then');
    plan.add.forEach((c) => drawCamera(m, { ...c, camera_id: '', state: 'on', optics: c, planned: true }, id === 'then', id === 'now'));
  }
  if (answer.total > answer.cameras.length) notify(`此处有 ${answer.total} 个监控点，只显示 ${answer.cameras.length} 个，请放大`);
}

function drawCamera(m, camera, after, faint = false) {
  const id = camera.camera_id, lost = plan.lose.includes(id), restored = plan.restore.includes(id), turned = id in plan.turn;
  const bearing = after && turned ? plan.turn[id] : camera.optics.bearing_deg;
  const working = after ? (!lost && (restored || camera.state === 'on')) : camera.state === 'on';
  const colour = camera.planned ? '#0b7a4b' : working ? '#0072b2' : '#7f7f7f';
  const shape = sector(camera, bearing);
  if (shape && !faint && (!after || !lost)) m.cameras.addLayer(L.polygon(shape, { renderer: m.canvas, color: colour, weight: 1, opacity: 0.5, fillOpacity: 0.1, interactive: false }));
  const planned = lost || restored || turned || camera.planned;
  const point = L.circleMarker([camera.lat, camera.lon], { renderer: m.canvas, shape: working ? 'circle' : 'cross', radius: 5, color: planned ? '#222222' : '#ffffff', weight: planned ? 2.5 : 1, fillColor: colour, fillOpacity: faint ? 0.3 : 0.95 });
  if (!camera.planned) point.on('click', (e) => { L.DomEvent.stop(e); cameraCard(camera, e.latlng, m.map); });
  m.cameras.addLayer(point);
}

function cameraCard(camera, at, map) {
  const id = camera.camera_id;
  const bearing = el('input', { type: 'number', min: 0, max: 360, step: 1, value: Math.round(plan.turn[id] ?? camera.optics.bearing_deg ?? 0), 'aria-label': '新方位角（度）' });
  const act = (text, run) => el('button', { type: 'button', text, onclick: () => { forget(id); run(); map.closePopup(); changed(); } });
  const form = el('form', {},
    el('span', { text: '新方位角（度）' }), bearing,
    act('转向到此方位', () => { plan.turn[id] = ((Number(bearing.value) % 360) + 360) % 360; }),
    camera.state === 'on' ? act('假设停用', () => plan.lose.push(id)) : act('假设恢复在线', () => plan.restore.push(id)),
    isPlanned(id) ? act('撤销此点变更', () => {}) : null);
  form.addEventListener('submit', (e) => e.preventDefault());
  const words = state.config.camera_states[camera.state] || '未知';
  const box = el('div', {}, el('strong', { text: camera.name || id }), el('p', { class: 'note', text: `${id}　${words}　方位 ${camera.optics.bearing_deg ?? '未知'}°　视场 ${camera.optics.fov_deg ?? '未知'}°　${camera.optics.range_m ?? '—'} m` }), form);
  L.popup({ maxWidth: 380 }).setLatLng(at).setContent(box).openOn(map);
}

const isPlanned = (id) => id in plan.turn || plan.lose.includes(id) || plan.restore.includes(id);
function forget(id) {
  delete plan.turn[id];
  for (const list of [plan.lose, plan.restore]) { const i = list.indexOf(id); if (i >= 0) list.splice(i, 1); }
}

function placeCamera(latlng, map) {
  const field = (name, text, value, min, max) => [el('label', { for: `new-${name}`, text }), el('input', { id: `new-${name}`, type: 'number', value, min, max, required: true })];
  const form = el('form', {}, ...field('bearing_deg', '方位角（度）', 0, 0, 360), ...field('fov_deg', '水平视场角（度）', 70, 1, 360), ...field('range_m', '可视距离（米）', 80, 1, 2000), ...field('height_m', '安装高度（米）', 5, 0, 200), ...field('resolution_px', '水平像素', 1920, 100, 20000), el('button', { class: 'main', text: '加入方案' }));
  form.addEventListener('submit', (e) => {
    e.preventDefault();
    const camera = { lon: latlng.lng, lat: latlng.lat, name: `新增监控点 ${plan.add.length + 1}` };
    for (const name of ['bearing_deg', 'fov_deg', 'range_m', 'height_m', 'resolution_px']) camera[name] = Number(byId(`new-${name}`).value);
    plan.add.push(camera);
    map.closePopup();
    changed();
  });
  L.popup({ maxWidth: 340 }).setLatLng(latlng).setContent(el('div', {}, el('strong', { text: '新增监控点' }), form)).openOn(map);
}

// -- panels ------------------------------------------------------------------------------------------------------

function table(headers, rows) {
  const cell = (tag) => (v) => (v instanceof Node ? el(tag, {}, v) : el(tag, { class: v && v.n !== undefined ? 'n' : null, text: v && v.n !== undefined ? v.n : v }));
  return el('table', {}, el('thead', {}, el('tr', {}, headers.map(cell('th')))), el('tbody', {}, rows.map((r) => el('tr', {}, r.map(cell('td'))))));
}
const n = (v) => ({ n: v });
const link = (text, run) => el('button', { class: 'link', type: 'button', text, onclick: run });

async function rates() {
  const answer = await get('/v1/coverage', { grid: state.grid }, { kind: 'rates' });
  const step = (r) => r.step === state.claim;
  const classes = answer.targets.filter(step);
  const goal = (r) => el('span', { class: r.goal === null || r.goal === undefined ? null : r.rate >= r.goal ? 'met' : 'missed', text: r.goal === null || r.goal === undefined ? '—' : `${percent(r.goal)} ${r.rate >= r.goal ? '✓ 达标' : '✗ 未达'}` });
  fill(byId('rates'),
    el('h2', { text: '监控目标覆盖率（按类别）' }),
    classes.length ? table(['类别', n('覆盖'), n('应覆盖'), n('覆盖率'), '目标'], classes.map((r) => [`${'一二三'[r.target_class - 1]}类`, n(r.numerator), n(r.denominator), n(percent(r.rate)), goal(r)])) : el('p', { class: 'note', text: '没有监控目标清单' }),
    el('p', { class: 'note', text: `口径：${state.config.claims[state.claim]}　清单版本 ${[...new Set(classes.map((r) => r.list_version))].join('、') || '—'}` }),
    el('h2', { text: '逐项口径：公共可用空间面积' }),
    table(['口径', n('平方米'), n('占比')], answer.ground.map((r) => [r.zh, n(whole(r.numerator)), n(percent(r.rate))])),
    el('h2', { text: '逐项口径：道路长度' }),
    table(['口径', n('米'), n('占比')], answer.roads.map((r) => [r.zh, n(whole(r.numerator)), n(percent(r.rate))])));
}

function grids() {
  const rows = Object.entries(state.ground.grids).map(([id, g]) => ({ id, share: g.free_m2 > 0 ? g[state.claim] / g.free_m2 : null, free: g.free_m2 - g[state.claim] })).filter((r) => r.share !== null).sort((a, b) => b.free - a.free).slice(0, 200);
  fill(byId('grids'), el('h2', { text: '未覆盖面积最多的网格' }),
    table(['网格', n('覆盖率'), n('未覆盖 m²')], rows.map((r) => [link(state.config.names[r.id] || r.id, () => goGrid(r.id)), n(percent(r.share)), n(whole(r.free))])));
}

async function blind() {
  const answer = await get('/v1/blind-spots', { grid: state.grid, limit: 100 }, { kind: 'blind' });
  for (const m of Object.values(state.maps)) m.spots.clearLayers();
  fill(byId('blind'), el('h2', { text: `盲区 ${answer.total} 处，按得分排列` }),
    el('ol', {}, answer.blind_spots.map((s) => el('li', { value: s.rank }, link(s.text, () => { const b = L.geoJSON(s.geometry).getBounds(); state.maps.now.map.fitBounds(b, { maxZoom: 17, padding: [60, 60] }); })))));
  for (const m of Object.values(state.maps)) {
    for (const s of answer.blind_spots) {
      const shape = L.geoJSON(s.geometry, { style: { renderer: m.canvas, color: '#a32a00', weight: 4, dashArray: '2 7', opacity: 0.85, fillOpacity: 0.15 }, pointToLayer: (_, at) => L.circleMarker(at, { renderer: m.canvas, shape: 'cross', radius: 7, color: '#ffffff', weight: 1, fillColor: '#a32a00', fillOpacity: 1 }), interactive: false });
      m.spots.addLayer(shape);
      if (s.rank <= 20) m.spots.addLayer(L.marker(shape.getBounds().getCenter(), { icon: L.divIcon({ className: 'rank', html: el('span', { text: String(s.rank) }), iconSize: [24, 18] }), interactive: false, keyboard: false }));
    }
  }
}

async function ledger() {
  const box = byId('ledger');
  const kind = box.querySelector('select')?.value ?? '';
  const answer = await get('/v1/targets', { covered: false, class: kind, grid: state.grid, limit: 300 }, { kind: 'ledger' });
  const pick = el('select', { 'aria-label': '目标类别', onchange: () => ledger().catch(fail) }, [['', '全部类别'], ['1', '一类'], ['2', '二类'], ['3', '三类']].map(([value, text]) => el('option', { value, text, selected: value === kind })));
  fill(box, el('h2', { text: `未覆盖目标 ${answer.total} 个` }), pick,
    table(['目标', '类别', '处理建议'], answer.targets.map((r) => [link(r.name || r.target_id, () => state.maps.now.map.setView([r.lat, r.lon], 17)), `${'一二三'[r.target_class - 1]}类`, r.action])));
}

function planPanel() {
  const one = (text, undo) => el('li', {}, `${text} `, link('撤销', () => { undo(); changed(); }));
  const items = [
    ...plan.add.map((c, i) => one(`新增：方位 ${c.bearing_deg}°，视场 ${c.fov_deg}°，${c.range_m} m`, () => plan.add.splice(i, 1))),
    ...Object.entries(plan.turn).map(([id, deg]) => one(`转向：${id} → ${deg}°`, () => forget(id))),
    ...plan.lose.map((id) => one(`停用：${id}`, () => forget(id))),
    ...plan.restore.map((id) => one(`恢复：${id}`, () => forget(id))),
  ];
  const whatIf = state.config.whole_city;
  const add = el('button', { type: 'button', id: 'add', text: state.adding ? '请在地图上点击位置' : '在地图上新增监控点', 'aria-pressed': String(state.adding), disabled: !whatIf, onclick: () => { state.adding = !state.adding; byId('maps').classList.toggle('adding', state.adding); planPanel(); } });
  const run = el('button', { type: 'button', id: 'run', class: 'main', text: '计算并对比', disabled: !items.length || !whatIf, onclick: () => compute().catch(fail) });
  const clear = el('button', { type: 'button', text: '清空', disabled: !items.length, onclick: () => { plan.add = []; plan.turn = {}; plan.lose = []; plan.restore = []; changed(); } });
  fill(byId('plan'), el('p', { class: 'note', text: whatIf ? `放大到街区后点击监控点可转向、停用或恢复；方案不会写入数据。` : '假设方案需要全市范围的权限。' }), add, ' ', run, ' ', clear,
    items.length ? el('ol', {}, items) : el('p', { class: 'note', text: '方案为空' }), ...(state.result ? resultView(state.result) : []));
}

function resultView(r) {
  const arrow = (a, b) => `${a} → ${b}${b > a ? ` ▲${b - a}` : b < a ? ` ▼${a - b}` : ''}`;
  return [
    el('h2', { text: '变化' }),
    el('p', { id: 'delta', text: `新增可视 ${whole(r.gained_m2)} m²，失去可视 ${whole(r.lost_m2)} m²` }),
    table(['目标类别', n('应覆盖'), n('覆盖'), n('有效覆盖')], r.classes.map((c) => [`${'一二三'[c.target_class - 1]}类`, n(c.listed), n(arrow(c.covered_before, c.covered_after)), n(arrow(c.effective_before, c.effective_after))])),
    el('h2', { text: '受影响网格（几何可视）' }),
    r.grids.length ? table(['网格', n('前'), n('后')], r.grids.map((g) => [link(g.name || g.grid_id, () => goGrid(g.grid_id)), n(percent(g.before_m2 / g.free_m2)), n(percent(g.after_m2 / g.free_m2))])) : el('p', { class: 'note', text: '没有网格受影响' }),
    r.targets.length ? el('h2', { text: '变化的目标' }) : null,
    r.targets.length ? table(['目标', '变化'], r.targets.map((x) => [link(x.name || x.target_id, () => state.maps.now.map.setView([x.lat, x.lon], 17)), `${x.covered_before ? '已覆盖' : '未覆盖'} → ${x.covered ? '已覆盖' : '未覆盖'}${x.effective === x.effective_before ? '' : x.effective ? '，恢复有效' : '，不再有效'}`])) : null,
  ];
}

async function compute() {
  notify('正在计算……');
  state.result = await (await post('/planner/what-if', plan)).json();
  byId('notice').hidden = true;
  showCompare(true);
  const after = state.maps.then;
  for (const m of Object.values(state.maps)) m.change.clearLayers();
  const paint = (geometry, color) => geometry && after.change.addLayer(L.geoJSON(geometry, { style: { renderer: after.canvas, color, weight: 1, fillOpacity: 0.45 }, interactive: false }));
  paint(state.result.gained, '#00794f');
  paint(state.result.lost, '#c8102e');
  state.after = new Map(state.result.grids.map((g) => [g.grid_id, g.free_m2 > 0 ? g.after_m2 / g.free_m2 : null]));
  after.ground.redraw();
  planPanel();
  await showCameras();
}

function showCompare(on) {
  const box = byId('then-box');
  if (box.hidden === !on) return;
  box.hidden = !on;
  if (on && !state.maps.then) {
    state.maps.then = makeMap('then', () => ({ get: (id) => (state.after?.has(id) ? state.after.get(id) : state.shares.get(id)) }));
    sync(state.maps.now.map, state.maps.then.map);
    sync(state.maps.then.map, state.maps.now.map);
    state.maps.then.map.on('click', (e) => { if (state.adding) placeCamera(e.latlng, state.maps.then.map); });
    blind().catch(fail);
  }
  for (const m of Object.values(state.maps)) m.map.invalidateSize({ animate: false });
  if (on) state.maps.then.map.setView(state.maps.now.map.getCenter(), state.maps.now.map.getZoom(), { animate: false });
}

function changed() {
  state.result = null;
  state.after = null;
  state.adding = false;
  byId('maps').classList.remove('adding');
  showCompare(false);
  planPanel();
  showCameras().catch(fail);
}

async function ground() {
  state.ground = await get('/v1/coverage/grids', { level: state.config.level }, { kind: 'ground' });
  recolour();
}
function recolour() {
  state.shares = new Map(Object.entries(state.ground.grids).map(([id, g]) => [id, g.free_m2 > 0 ? g[state.claim] / g.free_m2 : null]));
  for (const m of Object.values(state.maps)) m.ground.redraw();
  grids();
  legend();
}
function legend() {
  const row = (colour, text) => el('div', {}, el('i', { style: `background:${colour}` }), text);
  const words = ['很低', '较低', '中等', '较高', '很高'];
  fill(byId('legend'), el('strong', { text: '网格面积覆盖率' }), SHARES.map((s, i) => row(state.config.ramp[i], `${words[i]}　${100 * s}–${100 * s + 20} %`)),
    row('#00794f', '方案新增可视'), row('#c8102e', '方案失去可视'), el('div', {}, '蓝点在线、灰十字不在线、绿点新增；粗黑圈为方案变更'));
}

async function goGrid(id) {
  const found = await get('/maps/search', { q: id, limit: 1 });
  if (!found.length) return notify('没有找到');
  const [w, s, e, no] = found[0].bbox;
  state.maps.now.map.fitBounds([[s, w], [no, e]], { maxZoom: 17, padding: [30, 30] });
  return null;
}

async function choose(id, name) {
  state.grid = id;
  fill(byId('where'), id ? [`范围：${name || id} `, link('全市', () => choose('').catch(fail))] : '范围：全市');
  byId('where').querySelector('button')?.setAttribute('style', 'color:#fff;text-decoration:underline');
  await Promise.all([rates(), blind(), ledger()]);
}

function tabs() {
  const all = [...document.querySelectorAll('[role=tab]')];
  const show = (tab) => all.forEach((t) => { const on = t === tab; t.setAttribute('aria-selected', String(on)); t.tabIndex = on ? 0 : -1; byId(t.getAttribute('aria-controls')).hidden = !on; });
  all.forEach((t, i) => {
    t.addEventListener('click', () => show(t));
    t.addEventListener('keydown', (e) => {
      const next = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: all.length - 1 }[e.key];
      if (next !== undefined) { const to = all[(next + all.length) % all.length]; show(to); to.focus(); e.preventDefault(); }
    });
  });
}

function search() {
  let rows = [];
  byId('q').addEventListener('input', async () => {
    const text = byId('q').value.trim();
    if (!text) return;
    rows = await get('/maps/search', { q: text }, { kind: 'search' }).catch(() => rows);
    fill(byId('found'), rows.map((r) => el('option', { value: r.grid_id, text: `${r.name} ${r.parent}` })));
  });
  byId('search').addEventListener('submit', async (e) => {
    e.preventDefault();
    const found = await get('/maps/search', { q: byId('q').value.trim(), limit: 1 }).catch(() => []);
    if (!found.length) return notify('没有找到');
    goGrid(found[0].grid_id).catch(fail);
    return choose(found[0].grid_id, found[0].name).catch(fail);
  });
}

async function download(form) {
  notify('正在生成工作清单……');
  const query = state.grid ? `?grid=${encodeURIComponent(state.grid)}` : '';
  const blob = await (await post(`/planner/worklist.${form}${query}`, plan)).blob();
  const at = URL.createObjectURL(blob);
  el('a', { href: at, download: `santu-worklist.${form}` }).click();
  setTimeout(() => URL.revokeObjectURL(at), 10_000);
  byId('notice').hidden = true;
}

async function start() {
  install();
  state.config = await get('/planner/config.json');
  document.title = `${state.config.city}补点规划`;
  byId('title').textContent = document.title;
  fill(byId('claim'), Object.entries(state.config.claims).map(([value, text]) => el('option', { value, text, selected: value === state.claim })));
  byId('claim').addEventListener('change', () => { state.claim = byId('claim').value; recolour(); rates().catch(fail); });
  byId('xlsx').addEventListener('click', () => download('xlsx').catch(fail));
  byId('gpkg').addEventListener('click', () => download('gpkg').catch(fail));
  tabs();
  search();
  state.maps.now = makeMap('now', () => state.shares);
  state.maps.now.map.on('moveend', () => showCameras().catch(fail));
  state.maps.now.map.on('click', (e) => { if (state.adding) placeCamera(e.latlng, state.maps.now.map); });
  new ResizeObserver(() => { for (const m of Object.values(state.maps)) m.map.invalidateSize(); }).observe(byId('maps'));
  planPanel();
  await Promise.all([ground(), choose('')]);
  window.planner = { state, plan };
  document.documentElement.dataset.ready = 'true';
}

start().catch(fail);
