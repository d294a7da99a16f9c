// Requests to our own server. A later request of the same kind ends the one before.

import { lang, t } from './i18n.js';

const running = new Map();

export class Failure extends Error {
  constructor(status, code, detail) {
    super(detail || `HTTP ${status}`);
    this.status = status;
    this.code = code;
  }
}

export async function get(path, params = {}, { kind } = {}) {
  const response = await answer(address(path, params), { headers: { Accept: 'application/json' } }, kind);
  return response.json();
}

/** A file of the server, as a blob. */
export const file = async (path, params = {}) => (await answer(address(path, params), {})).blob();

function address(path, params) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') query.append(name, one);
    }
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** Send JSON; returns the response, whose body may be a file. */
export const post = (path, body, { kind } = {}) => answer(path, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }, kind);

async function answer(where, options, kind) {
  const stop = new AbortController();
  if (kind) {
    running.get(kind)?.abort();
    running.set(kind, stop);
  }
  const response = await fetch(where, { ...options, signal: stop.signal }).catch((error) => {
    throw aborted(error) ? error : new Failure(0, 'no-server', t('noServer'));
  });
  if (response.ok) return response;
  const body = await response.json().catch(() => ({}));
  throw new Failure(response.status, body.code, reason(response.status, body.detail));
}

/** What went wrong in the operator's words; the server's own words follow where they say more. */
function reason(status, detail) {
  const words = { 403: t('forbidden'), 404: t('notThere'), 503: t('serverBusy') }[status] || (status >= 500 ? t('serverFault') : '');
  return [words, status < 500 && !(status === 403 && lang() === 'zh') ? detail : ''].filter(Boolean).join(lang() === 'zh' ? '：' : ': ') || `HTTP ${status}`;
}

export const aborted = (error) => error && error.name === 'AbortError';
