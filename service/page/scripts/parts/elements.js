/** Elements of the page. Text is always a text node, so that no text can become markup. */

import { icon } from "./icons.js";

/**
 * Returns a new HTML element.
 *
 * @param {string} tag - Name of the element, such as "button".
 * @param {Object<string, any>} [options] - `class`; `dataset`; names that begin with "on" are
 *   listeners; `ariaLabel` and the like become `aria-label`; names that are properties of the
 *   element are set as such; all others are attributes. Null and undefined are left out.
 * @param {...(Node|string|number|null|undefined|false|Array)} children - Nodes; text becomes text
 *   nodes; null and false are left out.
 * @returns {HTMLElement}
 */
export function el(tag, options = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(options)) set(element, name, value);
  element.append(...nodes(children));
  return element;
}

/** Replaces the children of an element, by the rules of `el`. */
export function fill(element, ...children) {
  element.replaceChildren(...nodes(children));
  return element;
}

/**
 * Returns a button.
 *
 * @param {string} text - Text of the button; its spoken name only, where `only` is set.
 * @param {() => void} onclick - Called on a click.
 * @param {Object} [options] - `icon` before and `after` behind the text (names of icons); `only`
 *   for the icon alone; the rest is for `el`.
 */
export function button(text, onclick, options = {}) {
  const { icon: before, after, only = false, class: kind = "", ...rest } = options;
  const parts = [before && icon(before), only ? null : el("span", {}, text), after && icon(after)];
  const named = only ? { ariaLabel: text, title: rest.title ?? text } : {};
  const classes = `button ${kind} ${only ? "only" : ""}`.trim();
  return el("button", { type: "button", class: classes, onclick, ...named, ...rest }, ...parts);
}

/** Replaces the children of an element; the focus stays on the control of the same place. */
export function refill(element, ...children) {
  const controls = () => [...element.querySelectorAll("a[href], button, input, summary")];
  const place = controls().indexOf(document.activeElement);
  fill(element, ...children);
  if (place >= 0) controls()[Math.min(place, controls().length - 1)]?.focus();
  return element;
}

/** Returns a name that is cut in the middle where it is too long; whole in its title. */
export function cutInTheMiddle(name, options = {}) {
  const characters = [...name];
  const tail = characters.length > 16 ? -8 : characters.length;
  const half = (text) => el("span", { ariaHidden: "true" }, text.join(""));
  return el("span", { ...options, class: `middle ${options.class ?? ""}`.trim(), title: name },
    el("span", { class: "unseen" }, name),
    half(characters.slice(0, tail)), half(characters.slice(tail)));
}

function set(element, name, value) {
  if (value === null || value === undefined) return;
  if (name === "class") element.className = value;
  else if (name === "dataset") Object.assign(element.dataset, value);
  else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (/^aria[A-Z]/.test(name)) element.setAttribute(attributeOf(name), value);
  else if (name in element && name !== "list" && name !== "form") element[name] = value;
  else element.setAttribute(name, value);
}

const attributeOf = (name) => `aria-${name.slice(4).toLowerCase()}`;

function nodes(children) {
  return children.flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false)
    .map((child) => (child instanceof Node ? child : document.createTextNode(String(child))));
}
