/** Menus below a button. */

import { el } from "./elements.js";
import { icon } from "./icons.js";

/**
 * @typedef {Object} Item
 * @property {string} text
 * @property {() => void} [does] - Absent for a heading.
 * @property {string} [icon]
 * @property {string} [hint] - Grey text at the end.
 * @property {boolean} [checked] - A check where one of several is chosen.
 * @property {string} [disabled] - Reason why the item cannot be chosen; its title.
 */

/**
 * Opens a menu below a button; Esc, a click outside and a choice close it.
 *
 * @param {HTMLElement} anchor - The button.
 * @param {(Item|"line")[]} items
 */
export function openMenu(anchor, items) {
  const menu = el("div", { class: "menu", role: "menu", popover: "auto" });
  menu.setAttribute("aria-label", anchor.getAttribute("aria-label") ?? anchor.textContent.trim());
  menu.append(...items.map((item) => nodeOf(item, menu)));
  menu.addEventListener("keydown", (event) => move(event, menu));
  menu.addEventListener("toggle", (event) => {
    anchor.setAttribute("aria-expanded", String(event.newState === "open"));
    if (event.newState === "closed") close(menu, anchor);
  });
  document.body.append(menu);
  menu.showPopover();
  place(menu, anchor);
  (menu.querySelector("[aria-checked=true]") ?? choices(menu)[0])?.focus();
}

function nodeOf(item, menu) {
  if (item === "line") return el("hr", {});
  if (!item.does) return el("div", { class: "heading", role: "presentation" }, item.text);
  const choose = () => {
    if (item.disabled) return;
    menu.hidePopover();
    item.does();
  };
  const isChoice = item.checked !== undefined;
  const node = el("button", { type: "button", class: "item", tabIndex: -1, onclick: choose,
    role: isChoice ? "menuitemradio" : "menuitem", title: item.disabled },
  item.icon && icon(item.icon),
  el("span", { class: "text ends" }, item.text),
  item.hint && el("span", { class: "hint" }, item.hint),
  item.checked && icon("accept"));
  if (isChoice) node.setAttribute("aria-checked", String(item.checked));
  if (item.disabled) node.setAttribute("aria-disabled", "true");
  return node;
}

const choices = (menu) => [...menu.querySelectorAll("[role^=menuitem]")];

function move(event, menu) {
  const all = choices(menu);
  const at = all.indexOf(document.activeElement);
  const steps = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: all.length - 1 };
  if (event.key === "Tab") menu.hidePopover();
  if (!(event.key in steps)) return;
  event.preventDefault();
  all.at(steps[event.key] % all.length).focus();
}

function place(menu, anchor) {
  const edge = 8;
  const { bottom, top, right, left } = anchor.getBoundingClientRect();
  const { width, height } = menu.getBoundingClientRect();
  const isRight = left + width > innerWidth - edge;
  const isAbove = bottom + height > innerHeight - edge && top > height + edge;
  menu.style.left = `${Math.max(edge, isRight ? right - width : left)}px`;
  menu.style.top = `${isAbove ? top - height - 4 : bottom + 4}px`;
}

function close(menu, anchor) {
  if (menu.contains(document.activeElement)
    || document.activeElement === document.body) anchor.focus();
  menu.remove();
}
