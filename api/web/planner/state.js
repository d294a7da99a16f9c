// What is on the screen; the address of the page holds it, so that a link shows the same. A plan is kept by nobody.

import { setLang } from '../common/i18n.js';
import { setDark, setScale } from '../common/draw.js';

const NAMES = ['tab', 'claim', 'grid', 'theme', 'lang', 'm'];

export const state = { tab: 'rates', claim: 'geometric', grid: '', theme: 'light', lang: 'zh', m: '' };

export function read() {
  state.theme = matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light';
  const asked = new URLSearchParams(location.hash.slice(1));
  for (const name of NAMES) if (asked.get(name)) state[name] = asked.get(name);
  dress();
}

export function change(values) {
  Object.assign(state, values);
  const out = new URLSearchParams(NAMES.filter((n) => state[n]).map((n) => [n, state[n]]));
  history.replaceState(null, '', `#${out.toString().replaceAll('%2F', '/')}`);
  dress();
}

function dress() {
  setLang(state.lang);
  setDark(state.theme === 'dark');
  setScale(parseFloat(getComputedStyle(document.documentElement).fontSize) / 17);
  document.documentElement.dataset.theme = state.theme === 'dark' ? 'dark' : 'light';
}

/** The view that a link asks for: [zoom, lat, lon], or nothing. */
export function viewAsked() {
  const view = state.m.split('/').map(Number);
  return view.length === 3 && view.every(Number.isFinite) ? view : null;
}
