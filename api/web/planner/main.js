// Planner: what is covered, what is not, what a plan would change, and the work list as a file.

import { aborted, get, post } from '../common/api.js';
import { byId, el, fill, label, notify, watchInput } from '../common/dom.js';
import { install } from '../common/draw.js';
import { say, t } from '../common/i18n.js';
import { Search } from '../common/search.js';
import { Maps } from './maps.js';
import * as panels from './panels.js';
import { Plan } from './plan.js';
import { change, read, state, viewAsked } from './state.js';

const SLOW_MS = 700;
const PLANNED = 'geometric'; // the claim that what-ifs answer
const PAGES = [['/', 'console'], ['/maps/people', 'mapPeople'], ['/maps/hazards', 'mapHazards'], ['/maps/facilities', 'mapFacilities'], ['/maps/hotspots', 'mapHotspots']];
const answers = {}; // of the server, by panel; drawn anew in another language without asking again
const app = { config: null, plan: null, maps: null, names: {}, result: null, kind: '' };
window.planner = app; // for tests and for the curious

// -- panels --------------------------------------------------------------------------------------------------------

const DRAW = {
  rates: (a) => panels.rates(a, state.claim, state.grid || !app.config.whole_city),
  grids: (a) => panels.grids(a.grids, state.claim, app.names, app.goGrid),
  blind: (a) => panels.blind(a, (geometry) => app.maps.goTo(geometry)),
  ledger: (a) => panels.ledger(a, app.kind, (kind) => { app.kind = kind; load('ledger'); }, app.goPoint),
};
const ASK = {
  rates: () => get('/v1/coverage', { grid: state.grid }, { kind: 'rates' }),
  grids: () => get('/v1/coverage/grids', { level: app.config.level }, { kind: 'grids' }),
  blind: () => get('/v1/blind-spots', { grid: state.grid, limit: 100 }, { kind: 'blind' }),
  ledger: () => get('/v1/targets', { covered: false, class: app.kind, grid: state.grid, limit: 300 }, { kind: 'ledger' }),
};

/** Ask for a panel; the first answer of the day takes long in a large city, and the panel says so. */
async function load(name) {
  const waiting = setTimeout(() => busy(name), SLOW_MS);
  try {
    answers[name] = await ASK[name]();
    if (name === 'grids') shares();
    if (name === 'blind') app.maps.drawSpots(answers.blind.blind_spots);
    clearTimeout(waiting);
    draw(name);
  } catch (error) {
    clearTimeout(waiting);
    if (aborted(error)) return;
    fill(byId(name), el('p', { class: 'bad', role: 'alert', text: error.message }), el('button', { type: 'button', class: 'again', text: t('retry'), onclick: () => load(name) }));
  }
}

const busy = (name) => fill(byId(name), el('p', { class: 'note busy', role: 'status', text: t('computing') }));

function draw(name) {
  if (answers[name]) fill(byId(name), DRAW[name](answers[name]));
}

/** Colours of the grids. A plan is computed for what is in sight: beside it the present is shown by the same claim. */
function shares() {
  app.maps.claim = app.result ? PLANNED : state.claim;
  const rows = Object.entries(answers.grids?.grids || {});
  app.maps.share = new Map(rows.map(([id, g]) => [id, g.free_m2 > 0 ? g[app.maps.claim] / g.free_m2 : null]));
  app.maps.recolour();
  legend();
}

app.drawPlan = () => fill(byId('plan'), panels.planned(app));
const legend = () => fill(byId('legend'), app.maps.legend());

// -- the plan ------------------------------------------------------------------------------------------------------

app.setAdding = (on) => {
  app.maps.adding = on;
  byId('maps').classList.toggle('adding', on);
  app.drawPlan();
};

app.planChanged = () => {
  Object.assign(app, { result: null });
  app.maps.after = null;
  app.maps.drawChange(null);
  app.maps.compare(byId('then-box'), false);
  app.setAdding(false);
  show('plan');
  shares();
  app.maps.showCameras().catch(fail);
};

app.clearPlan = () => {
  app.plan.clear();
  app.planChanged();
};

app.compute = async () => {
  byId('run').disabled = true;
  notify(t('computing'), { keep: true });
  try {
    app.result = await (await post('/planner/what-if', app.plan.body, { kind: 'what-if' })).json();
    notify('');
    app.maps.after = new Map(app.result.grids.map((g) => [g.grid_id, g.free_m2 > 0 ? g.after_m2 / g.free_m2 : null]));
    app.maps.compare(byId('then-box'), true);
    app.maps.drawChange(app.result);
    shares();
    app.drawPlan();
    await app.maps.showCameras();
  } catch (error) {
    fail(error);
    app.drawPlan();
  }
};

async function download(form) {
  notify(t('makingList'), { keep: true });
  try {
    const query = state.grid ? `?grid=${encodeURIComponent(state.grid)}` : '';
    const blob = await (await post(`/planner/worklist.${form}${query}`, app.plan.body)).blob();
    const at = URL.createObjectURL(blob);
    el('a', { href: at, download: `santu-worklist.${form}` }).click();
    setTimeout(() => URL.revokeObjectURL(at), 10_000);
    notify('');
  } catch (error) {
    fail(error);
  }
}

function fail(error) {
  if (!aborted(error)) notify(`${t('failed')}: ${error.message}`, { error: true });
}

// -- where to look -------------------------------------------------------------------------------------------------

app.goGrid = async (id) => {
  const found = await get('/maps/search', { q: id, limit: 1 }).catch(fail);
  if (found?.length) app.maps.goToBox(found[0].bbox);
};

app.goPoint = ({ lat, lon }) => { app.maps.now.map.setView([lat, lon], 17, { animate: false }); };

/** What was found: a grid limits the panels to itself, any other place is shown. */
async function goTo(row) {
  if (row.kind === 'grid') {
    app.maps.goToBox(row.bbox);
    choose(row.asked.grid, row.title);
    return;
  }
  try {
    app.goPoint(row.at || (row.asked.crs ? await get('/v1/locate', row.asked) : row.asked));
  } catch (error) {
    fail(error);
  }
}

function choose(grid, name = '') {
  change({ grid });
  if (name) app.names[grid] = name;
  where();
  for (const panel of ['rates', 'blind', 'ledger']) load(panel);
}

function where() {
  const all = el('button', { type: 'button', id: 'whole-city', text: `${say(app.config.seen)} ✕`, onclick: () => choose('') });
  fill(byId('where'), `${t('subtree')}: ${state.grid ? app.names[state.grid] || state.grid : say(app.config.seen)} `, state.grid ? all : null);
}

function show(name) {
  for (const tab of document.querySelectorAll('[role=tab]')) {
    const panel = tab.getAttribute('aria-controls');
    const on = panel === name;
    tab.setAttribute('aria-selected', String(on));
    tab.tabIndex = on ? 0 : -1;
    byId(panel).hidden = !on;
  }
  change({ tab: name });
}

function tabs() {
  const all = [...document.querySelectorAll('[role=tab]')];
  const names = all.map((tab) => tab.getAttribute('aria-controls'));
  all.forEach((tab, i) => {
    tab.addEventListener('click', () => show(names[i]));
    tab.addEventListener('keydown', (e) => {
      const next = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: all.length - 1 }[e.key];
      if (next === undefined) return;
      const to = (next + all.length) % all.length;
      show(names[to]);
      all[to].focus();
      e.preventDefault();
    });
  });
  show(names.includes(state.tab) ? state.tab : 'rates');
}

// -- words and colours ---------------------------------------------------------------------------------------------

function words() {
  document.title = app.config.city ? `${app.config.city} · ${t('planner')}` : t('planner');
  byId('title').textContent = document.title;
  label();
  app.search.words();
  const shared = `theme=${state.theme}&lang=${state.lang}`;
  fill(byId('pages'), PAGES.map(([href, key]) => el('a', { href: href === '/' ? `/#${shared}` : `${href}?lang=${state.lang}`, text: t(key) })));
  fill(byId('claim'), app.config.claims.map((c) => el('option', { value: c, text: t(`claim_${c}`), selected: c === state.claim })));
  byId('theme').setAttribute('aria-pressed', String(state.theme === 'dark'));
  for (const id of ['now', 'then']) byId(id).setAttribute('aria-label', t(id === 'now' ? 'asItIs' : 'withPlan'));
  where();
  for (const name of Object.keys(DRAW)) draw(name);
  app.drawPlan();
  legend();
  empty();
}

function empty() {
  const missing = app.config.empty ? 'grids' : app.config.cameras_missing ? 'cameras' : '';
  byId('empty').hidden = !missing;
  byId('empty').textContent = missing ? t(`missing_${missing}`) : '';
}

async function start() {
  read();
  watchInput();
  addEventListener('hashchange', () => location.reload()); // another link was put into the address line
  try {
    app.config = await get('/planner/config.json');
  } catch (error) {
    label();
    notify(`${t('failed')}: ${error.message}`, { error: true });
    setTimeout(start, 5000);
    return;
  }
  notify('');
  install();
  if (!app.config.claims.includes(state.claim)) state.claim = 'geometric';
  app.plan = new Plan(app.config, app.planChanged);
  app.maps = new Maps(app.config, app.plan, () => notify(t('planRefused')));
  app.search = new Search({ layers: { cameras: true }, address: true }, goTo);
  const view = viewAsked();
  if (view) app.maps.now.map.setView([view[1], view[2]], view[0]);
  else app.maps.goToBox(app.config.bounds);
  app.maps.now.map.on('moveend', () => {
    const { map } = app.maps.now;
    const c = map.getCenter();
    change({ m: `${map.getZoom()}/${c.lat.toFixed(5)}/${c.lng.toFixed(5)}` });
    legend();
    app.maps.showCameras().catch(fail);
  });
  new ResizeObserver(() => { for (const side of app.maps.sides) side.map.invalidateSize({ animate: false }); }).observe(byId('maps'));
  byId('claim').addEventListener('change', () => { change({ claim: byId('claim').value }); shares(); draw('grids'); draw('rates'); });
  byId('xlsx').addEventListener('click', () => download('xlsx'));
  byId('gpkg').addEventListener('click', () => download('gpkg'));
  byId('language').addEventListener('click', () => { change({ lang: state.lang === 'zh' ? 'en' : 'zh' }); words(); });
  byId('theme').addEventListener('click', () => { change({ theme: state.theme === 'dark' ? 'light' : 'dark' }); app.maps.repaint(); app.maps.drawChange(app.result); words(); });
  tabs();
  words();
  app.maps.showCameras().catch(fail);
  document.documentElement.dataset.open = 'true'; // the map is there; the figures may still be on their way
  if (!app.config.empty) {
    get('/planner/names.json').then((names) => { Object.assign(app.names, names); draw('grids'); where(); }).catch(fail);
    const first = Object.keys(DRAW).sort((a, b) => (b === state.tab) - (a === state.tab));
    for (const name of first) busy(name);
    for (const name of first) await load(name); // one after the other: a browser has six connections, and the map and the search want theirs
  }
  document.documentElement.dataset.ready = 'true';
}

start();
