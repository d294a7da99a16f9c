// A blind spot in words.

import { lang, number, t } from './i18n.js';

/** A blind spot in a sentence: the server's in Chinese, the same facts in English. */
export function spotWords(s) {
  if (lang() === 'zh') return s.text;
  const what = t(`spot_${s.kind}`, { name: s.name, near: s.near || s.name, n: number(s.measure), p: number(100 * s.share) });
  return `${what}; ${t('spotRest', { grid: s.grid_id || '—', n: number(s.incidents) })}`;
}
