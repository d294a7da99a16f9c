// Elements from data: text is always text, never markup.

import { t } from './i18n.js';

export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else if (name === 'text') node.textContent = value;
    else if (name in node && typeof value === 'boolean') node[name] = value;
    else node.setAttribute(name, value === true ? '' : value);
  }
  for (const child of children.flat()) {
    if (child !== null && child !== undefined && child !== false) node.append(child);
  }
  return node;
}

export const byId = (id) => document.getElementById(id);

export function fill(node, ...children) {
  node.replaceChildren(...children.flat().filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

/** Put the words of the language into everything that names them: data-text, data-label. */
export function label() {
  for (const node of document.querySelectorAll('[data-text]')) node.textContent = t(node.dataset.text);
  for (const node of document.querySelectorAll('[data-label]')) {
    node.setAttribute('aria-label', t(node.dataset.label));
    if (node.matches('button')) node.title = t(node.dataset.label);
  }
}

/** Remember whether the operator points or types: a map that was clicked needs no frame around it. */
export function watchInput() {
  const note = (kind) => () => { document.documentElement.dataset.input = kind; };
  document.addEventListener('pointerdown', note('pointer'), true);
  document.addEventListener('keydown', note('keys'), true);
}

let clearing = 0;

/** Say something in the status line; errors, and what is to be kept, stay until the next message. */
export function notify(text, { error = false, keep = false } = {}) {
  const box = byId('notice');
  box.textContent = text;
  box.classList.toggle('error', error);
  box.hidden = !text;
  clearTimeout(clearing);
  if (text && !error && !keep) clearing = setTimeout(() => { box.hidden = true; }, 5000);
}
