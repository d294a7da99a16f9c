// Requests to our own server. A later request of the same kind ends the one before.

const running = new Map();

export class Failure extends Error {
  constructor(status, code, detail) {
    super(detail || `HTTP ${status}`);
    this.status = status;
    this.code = code;
  }
}

export async function get(path, params = {}, { kind } = {}) {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== null && one !== undefined && one !== '') query.append(name, one);
    }
  }
  const stop = new AbortController();
  if (kind) {
    running.get(kind)?.abort();
    running.set(kind, stop);
  }
  const text = query.toString();
  const response = await fetch(text ? `${path}?${text}` : path, { signal: stop.signal, headers: { Accept: 'application/json' } });
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Failure(response.status, body.code, body.detail);
  return body;
}

export const aborted = (error) => error && error.name === 'AbortError';
