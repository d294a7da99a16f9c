// Words in Chinese and English. Data words (states, kinds, legends) come from the server.

import { WORDS } from './words.js';

let index = 0;

export const lang = () => (index ? 'en' : 'zh');

export function setLang(name) {
  index = name === 'en' ? 1 : 0;
  document.documentElement.lang = index ? 'en' : 'zh-CN';
}

export function t(key, values = {}) {
  const text = (WORDS[key] || [key, key])[index];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

/** Pick from {zh, en}, as the server gives it. */
export const say = (o) => (o ? o[lang()] || o.zh || o.en || '' : '');

export function number(value, digits = 0) {
  return Number(value).toLocaleString(index ? 'en-GB' : 'zh-CN', { maximumFractionDigits: digits });
}

export function duration(seconds) {
  return seconds < 60 ? t('seconds', { n: Math.round(seconds) }) : t('minutes', { n: Math.round(seconds / 6) / 10 });
}

const clocks = new Map(); // making one takes longer than a thousand uses

export function moment(iso, timezone) {
  if (!iso) return '';
  const year = iso.slice(0, 4) === String(new Date().getFullYear()) ? undefined : 'numeric'; // another year is said
  const key = `${index}${year}${timezone}`;
  if (!clocks.has(key)) clocks.set(key, new Intl.DateTimeFormat(index ? 'en-GB' : 'zh-CN', { timeZone: timezone, year, month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit', hour12: false }));
  return clocks.get(key).format(new Date(iso));
}
