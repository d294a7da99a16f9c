// The console: puts the parts together. State goes one way: an action changes the state, the parts follow it.

import { get, aborted } from '../common/api.js';
import { Alerts } from './alerts.js';
import { Card } from './card.js';
import { BlindSpots } from './blind.js';
import { byId, el, fill, label, notify, watchInput } from '../common/dom.js';
import { install, setDark, setScale, setStretch } from '../common/draw.js';
import { lang, moment, number, setLang, t } from '../common/i18n.js';
import { Layers } from './layers.js';
import { Live } from './live.js';
import { help, printed } from './extras.js';
import { OpenIncidents } from './open.js';
import { Search } from '../common/search.js';
import { forget } from './shade.js';
import { change, onChange, preset, PRESETS, read, state } from './state.js';
import { Timeline } from './time.js';
import { Tree } from './tree.js';

const L = window.L;
const NEAR = 0.2; // of a zoom step
const app = { ready: false };
window.santu = app; // for tests and for the curious

async function boot() {
  read({ theme: matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light', lang: document.documentElement.lang === 'en' ? 'en' : 'zh' });
  dress();
  watchInput();
  addEventListener('hashchange', () => location.reload()); // another link was put into the address line
  let config;
  try {
    config = await get('/console/config.json');
  } catch (error) {
    notify(`${t('failed')}: ${error.message}`, { error: true });
    setTimeout(boot, 5000);
    return;
  }
  start(config);
}

function start(config) {
  install();
  config.names = {};
  app.config = config;
  substitute(config);
  const map = L.map('map', { preferCanvas: true, zoomControl: false, attributionControl: false, maxZoom: 18, minZoom: 6, fadeAnimation: false, zoomAnimation: false, markerZoomAnimation: false });
  app.map = map;
  map.on('zoom', () => setStretch(map.getZoom()));
  L.control.zoom({ position: 'topright', zoomInTitle: '+', zoomOutTitle: '−' }).addTo(map);
  L.control.scale({ imperial: false, position: 'bottomright', maxWidth: 140 }).addTo(map);
  const [west, south, east, north] = config.bounds;
  if (config.basemap.url) own(map, config.basemap);
  map.options.zoomSnap = 0; // the city fills the screen; what is zoomed afterwards goes by whole steps
  if (state.view) map.setView([state.view[1], state.view[2]], state.view[0]);
  else map.fitBounds([[south, west], [north, east]], { paddingTopLeft: [20, 20], paddingBottomRight: [20, 4 * parseFloat(getComputedStyle(document.documentElement).fontSize)], animate: false }); // clear of the time line
  map.options.zoomSnap = 1;
  const whole = Math.floor(map.getZoom() + 0.02); // a whole step in would cut the city
  if (map.getZoom() - whole < NEAR) map.setZoom(whole, { animate: false }); // tiles that are not stretched move faster
  setStretch(map.getZoom());

  app.card = new Card(map, config);
  app.layers = new Layers(map, config, () => { settle(); soon(); });
  app.open = new OpenIncidents(map, config, choose, () => { settle(); soon(); });
  app.blind = new BlindSpots(map, config, (spot) => app.card.show(spot.asked, spot.extra), () => { settle(); soon(); });
  app.alerts = new Alerts(config, alerted);
  app.tree = new Tree(config, app.layers, { open: app.open, blind: app.blind });
  app.search = new Search(config, goTo);
  app.time = new Timeline(config, settled);
  app.live = new Live(takeChanges, afresh, status);

  map.on('moveend', () => { const c = map.getCenter(); change({ view: [map.getZoom(), c.lat, c.lng] }); });
  map.on('click', (e) => pickAt(e.latlng));
  new ResizeObserver(() => map.invalidateSize({ pan: false })).observe(byId('map'));
  onChange(follow);
  keys();
  app.layers.sync();
  app.open.load();
  app.blind.sync();
  words();
  buttons();
  app.live.start();
  if (state.at) {
    const [lon, lat] = state.at.split(',').map(Number);
    if (Number.isFinite(lon) && Number.isFinite(lat)) app.card.show({ lon, lat });
  }
  settle();
}

/** The raster basemap that the settings name; who made it is said on the map. */
function own(map, base) {
  L.tileLayer(base.url, { minNativeZoom: base.min_zoom, maxNativeZoom: base.max_zoom, maxZoom: 18, tms: base.tms, attribution: base.attribution, zIndex: 1 }).addTo(map);
  if (base.attribution) L.control.attribution({ prefix: false, position: 'bottomleft' }).addTo(map);
}

/** An analysis that this server cannot give is replaced by the indicator nearest to it. */
function substitute(config) {
  const instead = { hotspots: 'hotspot', classes: 'hotspot', risk: 'risk_score', ground_covered: 'cameras_online', faulty_facilities: '' };
  const known = (n) => !n || config.analyses[n] || config.indicators.some((i) => i.name === n);
  for (const p of Object.values(PRESETS)) if (!known(p.shade)) p.shade = known(instead[p.shade]) ? instead[p.shade] : '';
  if (!known(state.shade)) state.shade = known(instead[state.shade]) ? instead[state.shade] : '';
}

let redrawing = 0;
const REDRAW_MS = 80;

/** The panel, drawn once for all that changes within a moment, but not under a pressed pointer: its click would be lost. */
function soon() {
  redrawing ||= setTimeout(() => {
    redrawing = 0;
    if (document.querySelector('#tree:active, #filters:active')) soon();
    else app.tree?.render();
  }, REDRAW_MS);
}

/** Parts follow the names that changed. */
function follow(changed) {
  const any = (...names) => names.some((n) => changed.has(n));
  if (any('theme', 'lang', 'panel')) { dress(); words(); app.card.again(); }
  if (any('grid') && app.live.grid !== state.grid) app.live.start();
  if (any('on', 'shade', 'opacity', 'theme', 'category', 'source', 'camera', 'grid', 'days', 'step', 'from', 'asOf')) app.layers.sync();
  if (any('category', 'source', 'grid', 'days', 'from', 'step')) app.open.load();
  else if (any('on', 'theme', 'lang', 'opacity')) app.open.redraw();
  if (any('on', 'grid', 'theme', 'opacity')) app.blind.sync();
  if (any('from', 'step', 'days', 'lang')) app.time.render();
  if (any('preset', 'lang', 'on')) { presets(); emptiness(); }
  if (![...changed].every((n) => n === 'view' || n === 'at')) soon();
}

function dress() {
  setLang(state.lang);
  setDark(state.theme === 'dark');
  setScale(parseFloat(getComputedStyle(document.documentElement).fontSize) / 17);
  document.documentElement.dataset.theme = state.theme;
  document.body.classList.toggle('no-panel', !state.panel);
}

function words() {
  document.title = `${app.config.name} · ${t('title')}`;
  byId('city').textContent = app.config.name;
  label();
  byId('data-to').textContent = app.config.latest ? t('dataTo', { t: moment(app.config.latest, app.config.timezone) }) : '';
  byId('theme').setAttribute('aria-pressed', String(state.theme === 'dark'));
  byId('panel-toggle').setAttribute('aria-expanded', String(state.panel));
  app.search.words();
  presets();
  app.time.render();
  soon();
  app.alerts.render();
  pages();
  emptiness();
  app.open.list();
  status(app.now || 'connecting', app.live.behindMinutes);
}

function presets() {
  fill(byId('presets'), Object.keys(PRESETS).map((name, i) => el('button', { type: 'button', id: `preset-${name}`, 'aria-pressed': String(state.preset === name), onclick: () => preset(name) }, el('kbd', { text: String(i + 1), 'aria-hidden': 'true' }), t(name))));
}

const PAGES = [['/planner', 'planner'], ['/maps/people', 'mapPeople'], ['/maps/hazards', 'mapHazards'], ['/maps/facilities', 'mapFacilities'], ['/maps/hotspots', 'mapHotspots']];

function pages() {
  fill(byId('pages'), PAGES.map(([href, key]) => el('a', { href: key === 'planner' ? `${href}#lang=${lang()}&theme=${state.theme}` : `${href}?lang=${lang()}`, text: t(key) })));
  fill(byId('print'), el('span', { text: t('print') }), ['png', 'pdf'].map((form) => el('button', { type: 'button', id: `print-${form}`, text: form.toUpperCase(), onclick: () => printed(form, app) })));
}

const TABLE_OF = { people: 'people', hazards: 'hazards', facilities: 'facilities', incidents: 'incidents', video: 'cameras' };

/** Where the data of a preset are missing, say what to do. */
function emptiness() {
  const { config } = app;
  const missing = !config.layers[config.finest] ? 'grids' : config.missing.includes(TABLE_OF[state.preset]) ? TABLE_OF[state.preset] : '';
  byId('empty').hidden = !missing;
  byId('empty').textContent = missing ? t(`missing_${missing}`) : '';
}

function status(now, minutes) {
  if (now === 'behind' && app.now !== 'behind') notify(t('serverGone', { t: moment(new Date(app.live.heard).toISOString(), app.config.timezone) }), { error: true });
  if (now === 'live' && app.now === 'behind') notify('');
  app.now = now;
  const box = byId('live');
  box.dataset.state = now;
  byId('live-text').textContent = now === 'live' ? t('live') : now === 'connecting' ? t('connecting') : `${t('offline')} · ${t('behind', { n: number(minutes) })}`;
}

function takeChanges(changes) {
  for (const { kind, id, body } of changes) {
    if (kind === 'incident' || kind === 'stage') {
      app.open.put(body, { fresh: kind === 'incident' });
      if (!app.config.latest || body.occurred_at > app.config.latest) app.config.latest = body.occurred_at;
    } else if (kind === 'camera' || kind === 'facility') app.layers.update(kind, id, body.state);
    else if (kind === 'hotspot') heat(body);
    else if (kind === 'tables') renew();
    else if (kind === 'warning') { app.alerts.add(kind, id, body); notify(lang() === 'zh' ? body.text : body.text_en, { error: true }); }
  }
  byId('data-to').textContent = app.config.latest ? t('dataTo', { t: moment(app.config.latest, app.config.timezone) }) : '';
  clearTimeout(app.listing);
  app.listing = setTimeout(() => app.open.list(), 200);
}

/** A grid became hot, or is so no longer: say it, and colour the grids anew where they show it. */
function heat(body) {
  app.alerts.add('hotspot', body.grid_id, body);
  notify(`${t(body.hot ? 'becameHot' : 'noLongerHot')}: ${body.name || body.grid_id}`);
  if (!app.config.analyses[state.shade]) return;
  clearTimeout(app.heating);
  app.heating = setTimeout(() => { forget(); app.layers.sync(); }, 500);
}

/** What was missed is not known any more: load everything anew. */
async function afresh() {
  try {
    const config = await get('/console/config.json', {}, { kind: 'config' });
    Object.assign(app.config, config, { names: app.config.names });
    substitute(app.config);
  } catch (error) {
    if (!aborted(error)) return;
  }
  app.layers.changed.clear();
  app.layers.sync();
  app.open.load();
}

/** The server has a newer snapshot: layers whose version changed are loaded anew; not by all pages at once. */
function renew() {
  clearTimeout(app.renewing);
  app.renewing = setTimeout(async () => {
    try {
      const config = await get('/console/config.json', {}, { kind: 'config' });
      Object.assign(app.config, config, { names: app.config.names });
      substitute(app.config);
      forget();
      app.layers.sync();
    } catch (error) {
      if (!aborted(error)) renew();
    }
  }, 500 + 2500 * Math.random());
}

// -- where to look ---------------------------------------------------------------------------------------------

function choose(row, { move = false } = {}) {
  if (move) app.map.setView([row.lat, row.lon], Math.max(app.map.getZoom(), 16), { animate: false });
  app.card.show({ incident: row.incident_id });
}

/** A warning or a grid of the hot list was chosen. */
function alerted(body) {
  app.map.setView([body.lat, body.lon], Math.max(app.map.getZoom(), 15), { animate: false });
  app.card.show({ grid: body.grid_id }, { title: body.name });
}

function pickAt(latlng) {
  const [hit] = app.layers.hits(latlng);
  if (hit?.name === 'cameras') return app.card.show({ camera: hit.id }, { title: hit.properties.name });
  if (hit?.name === 'incidents') return app.card.show({ incident: hit.id });
  const at = latlng.wrap();
  return app.card.show({ lon: at.lng.toFixed(7), lat: at.lat.toFixed(7) }, hit ? { title: hit.properties.name || hit.id } : {});
}

async function goTo(row) {
  if (row.bbox) app.map.fitBounds([[row.bbox[1], row.bbox[0]], [row.bbox[3], row.bbox[2]]], { maxZoom: 17, padding: [60, 60], animate: false });
  const card = await app.card.show(row.asked, row.extra);
  if (card && !row.bbox) app.map.setView([card.place.lat, card.place.lon], Math.max(app.map.getZoom(), 16), { animate: false });
}

// -- ready -----------------------------------------------------------------------------------------------------

function settle() {
  const done = Boolean(app.layers?.ready && app.open && app.open.status !== 'loading' && app.blind?.status !== 'loading');
  document.documentElement.dataset.ready = String(done);
  app.ready = done;
}

function settled() {
  return new Promise((resolve) => {
    const look = () => (app.ready ? resolve() : setTimeout(look, 40));
    setTimeout(look, 40);
  });
}

// -- keys and buttons ------------------------------------------------------------------------------------------

const COMMANDS = [
  ['/', 'kSearch', () => { byId('search').focus(); byId('search').select(); }],
  ['1–5', 'kPresets', null],
  ['l', 'kPanel', () => change({ panel: !state.panel })],
  ['c', 'kHere', () => pickAt(app.map.getCenter())],
  ['p', 'kPlay', () => app.time.toggle()],
  ['[', 'kStep', () => app.time.move(-1)],
  [']', 'kStep', () => app.time.move(1)],
  ['t', 'kTheme', () => change({ theme: state.theme === 'dark' ? 'light' : 'dark' })],
  ['e', 'kLang', () => change({ lang: lang() === 'zh' ? 'en' : 'zh' })],
  ['?', 'help', () => help(COMMANDS)],
  ['Esc', 'kClose', null],
];

function keys() {
  document.addEventListener('keydown', (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (e.key === 'Escape') { if (!byId('help').open) app.card.close(); return; }
    if (e.target.closest('input:not([type=range]):not([type=checkbox]), select, textarea, dialog')) return;
    const digit = Number(e.key);
    const name = Object.keys(PRESETS)[digit - 1];
    if (name) { preset(name); return; }
    const command = COMMANDS.find(([key, , act]) => key === e.key && act);
    if (command) { e.preventDefault(); command[2](); }
  });
}

function buttons() {
  const press = { theme: 't', language: 'e', 'panel-toggle': 'l', 'help-open': '?' };
  for (const [id, key] of Object.entries(press)) byId(id).addEventListener('click', COMMANDS.find(([k]) => k === key)[2]);
  byId('card-close').addEventListener('click', () => app.card.close());
  byId('alerts-clear').addEventListener('click', () => app.alerts.clear());
}

boot();
