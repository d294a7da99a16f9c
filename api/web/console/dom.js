// Elements from data: text is always text, never markup.

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

let clearing = 0;

/** Say something in the status line; errors stay until the next message. */
export function notify(text, { error = false } = {}) {
  const box = byId('notice');
  box.textContent = text;
  box.classList.toggle('error', error);
  box.hidden = !text;
  clearTimeout(clearing);
  if (text && !error) clearing = setTimeout(() => { box.hidden = true; }, 5000);
}
