// The panels: rates claim by claim, grids, blind spots, the ledger of targets, the plan and what it changes.

import { el } from '../common/dom.js';
import { number, lang, t } from '../common/i18n.js';
import { spotWords } from '../common/spot.js';

const percent = (v) => (v === null || v === undefined || Number.isNaN(v) ? '—' : `${(100 * v).toFixed(1)} %`);
const n = (v) => ({ n: v });
const heading = (text) => el('h2', { text });
const note = (text) => el('p', { class: 'note', text });
export const link = (text, run) => el('button', { class: 'link', type: 'button', text, onclick: run });

function table(headers, rows) {
  const cell = (tag) => (v) => (v instanceof Node ? el(tag, {}, v) : el(tag, { class: v?.n !== undefined ? 'n' : v?.short !== undefined ? 'short' : null, text: v?.n ?? v?.short ?? v }));
  return el('table', {}, el('thead', {}, el('tr', {}, headers.map(cell('th')))), el('tbody', {}, rows.map((r) => el('tr', {}, r.map(cell('td'))))));
}

const classWord = (number_) => t(`class${number_}`);

export function rates(answer, claim, grid) {
  const listed = answer.targets.filter((r) => r.step === claim);
  const classes = listed.some((r) => r.denominator) ? listed : [];
  const roads = answer.roads.filter((r) => r.denominator);
  const steps = (rows, unit) => table([t('claim'), n(unit), n(t('share'))], rows.map((r) => [t(`claim_${r.step}`), n(number(r.numerator)), n(percent(r.rate))]));
  const lists = [...new Set(classes.map((r) => r.list_version))].join('、');
  return [
    heading(t('classRates')),
    classes.length ? table([t('class'), n(t('covered')), n(t('listed')), n(t('rate')), t('goal')], classes.map((r) => [{ short: classWord(r.target_class) }, n(number(r.numerator)), n(number(r.denominator)), n(percent(r.rate)), goal(r)])) : note(t('noTargets')),
    classes.length ? note(`${t('claim')}${lang() === 'zh' ? '：' : ': '}${t(`claim_${claim}`)}${lists ? ` · ${t('listVersion', { v: lists })}` : ''}`) : null,
    heading(t('groundRates')), steps(answer.ground, 'm²'),
    heading(t('roadRates')), roads.length ? steps(roads, 'm') : note(t('noRoads')),
    ...basis(answer, !grid),
  ];
}

/** What the figures rest on: cameras that take part, why others do not, values taken by default, the register's own rates. */
function basis({ basis: b, register }, whole) {
  const counted = (counts, word) => Object.entries(counts).filter(([, count]) => count).map(([name, count]) => [word(name), n(number(count))]);
  const left = counted(b.excluded, (name) => t(`out_${name}`)), taken = counted(b.defaults, (name) => t(`default_${name}`));
  return [
    heading(`${t('basis')}${whole ? '' : ` · ${t('wholeCity')}`}`), note(t('basisCameras', { n: number(b.cameras), used: number(b.used), devices: number(b.devices) })),
    left.length ? table([t('leftOut'), n(t('cameras'))], left) : null,
    taken.length ? table([t('byDefault'), n(t('cameras'))], taken) : null,
    table([t('register'), n(t('count')), n(t('of')), n(t('share')), n(t('unknown'))], register.map((r) => [t(`register_${r.name}`), n(number(r.numerator)), n(number(r.denominator)), n(percent(r.rate)), n(number(r.unknown))])),
  ];
}

function goal(r) {
  if (r.goal === null || r.goal === undefined) return el('span', { text: '—' });
  if (!r.denominator) return el('span', { text: percent(r.goal) });
  const met = r.rate >= r.goal;
  return el('span', { class: met ? 'met' : 'missed', text: `${percent(r.goal)} ${met ? `✓ ${t('met')}` : `✗ ${t('missed')}`}` });
}

export function grids(ground, claim, names, go) {
  const rows = Object.entries(ground).map(([id, g]) => ({ id, share: g.free_m2 > 0 ? g[claim] / g.free_m2 : null, free: g.free_m2 - g[claim] }));
  const worst = rows.filter((r) => r.share !== null).sort((a, b) => b.free - a.free).slice(0, 200);
  if (!worst.length) return [note(t('noGrids'))];
  return [heading(t('worstGrids')), table([t('grid'), n(t('rate')), n(t('uncoveredArea'))], worst.map((r) => [link(names[r.id] || r.id, () => go(r.id)), n(percent(r.share)), n(number(r.free))]))];
}

export function blind(answer, go) {
  if (!answer.total) return [note(t('noBlind'))];
  return [heading(t('blindTotal', { n: number(answer.total), m: number(answer.blind_spots.length) })),
    el('ol', {}, answer.blind_spots.map((s) => el('li', { value: s.rank }, link(spotWords(s), () => go(s.geometry)))))];
}

export function ledger(answer, chosen, choose, go) {
  const options = [['', t('allClasses')], ...[1, 2, 3].map((c) => [String(c), classWord(c)])];
  const pick = el('select', { id: 'ledger-class', 'aria-label': t('class'), onchange: (e) => choose(e.target.value) }, options.map(([value, text]) => el('option', { value, text, selected: value === chosen })));
  return [heading(t('uncoveredTargets', { n: number(answer.total) })), pick,
    answer.targets.length ? table([t('target'), t('class'), t('toDo')], answer.targets.map((r) => [link(r.name || r.target_id, () => go(r)), { short: classWord(r.target_class) }, t(`todo_${r.why}`)])) : note(t('zero'))];
}

export function planned(app) {
  const { plan, config, maps } = app;
  const whole = config.whole_city;
  const button = (id, text, off, run, more = {}) => el('button', { type: 'button', id, text, disabled: off, onclick: run, ...more });
  const items = plan.items();
  return [
    note(t(whole ? 'planHelp' : 'planRefused')),
    el('div', { class: 'tools' },
      button('add', t(maps.adding ? 'clickMap' : 'addOnMap'), !whole, () => app.setAdding(!maps.adding), { 'aria-pressed': String(maps.adding) }),
      button('run', t('compute'), !items.length || !whole, () => app.compute(), { class: 'main' }),
      button('clear', t('clear'), !items.length, () => app.clearPlan())),
    items.length ? el('ol', {}, items.map(([words, undo]) => el('li', {}, `${words} `, link(t('undo'), () => { undo(); app.planChanged(); })))) : note(t('planEmpty')),
    ...(app.result ? changes(app.result, app) : []),
  ];
}

function changes(r, app) {
  const arrow = (a, b) => `${number(a)} → ${number(b)}${b > a ? ` ▲${number(b - a)}` : b < a ? ` ▼${number(a - b)}` : ''}`;
  const seen = (v) => t(v ? 'isCovered' : 'notCovered');
  const effect = (x) => (x.effective === x.effective_before ? '' : ` · ${t(x.effective ? 'worksAgain' : 'worksNoMore')}`);
  return [
    heading(t('changes')),
    el('p', { id: 'delta', text: t('delta', { g: number(r.gained_m2), l: number(r.lost_m2) }) }),
    el('p', { id: 'delta-working', text: t('deltaWorking', { g: number(r.working.gained_m2), l: number(r.working.lost_m2) }) }),
    r.classes.length ? table([t('class'), n(t('listed')), n(t('covered')), n(t('effective'))], r.classes.map((c) => [{ short: classWord(c.target_class) }, n(number(c.listed)), n(arrow(c.covered_before, c.covered_after)), n(arrow(c.effective_before, c.effective_after))])) : null,
    heading(t('changedGrids')),
    r.grids.length ? table([t('grid'), n(t('before_')), n(t('after_'))], r.grids.map((g) => [link(g.name || g.grid_id, () => app.goGrid(g.grid_id)), n(percent(g.free_m2 > 0 ? g.before_m2 / g.free_m2 : null)), n(percent(g.free_m2 > 0 ? g.after_m2 / g.free_m2 : null))])) : note(t('noGridChanges')),
    r.targets.length ? heading(t('changedTargets')) : null,
    r.targets.length ? table([t('target'), t('changes')], r.targets.map((x) => [link(x.name || x.target_id, () => app.goPoint(x)), `${seen(x.covered_before)} → ${seen(x.covered)}${effect(x)}`])) : null,
  ].filter(Boolean);
}
