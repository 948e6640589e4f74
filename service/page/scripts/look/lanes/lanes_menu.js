/** The menu of lanes: finds a class, pins its lane, shows and hides it. */

import { button, el, fill } from "../../parts/elements.js";
import { score } from "../../parts/format.js";
import { swatch } from "../../panels/class_mark.js";

/** Rows of the menu at most; the field finds the others. */
const MOST_ROWS = 60;

/** Opens the menu below its button. Esc and a click outside close it. */
export function openLanesMenu(anchor, session) {
  const field = el("input", { class: "field", type: "search", placeholder: "Find a class",
    ariaLabel: "Find a class" });
  const list = el("div", { class: "lanes-list" });
  const menu = el("div", { class: "menu lanes-menu", role: "dialog", ariaLabel: "Lanes",
    popover: "auto" }, field, list);
  const show = () => fill(list, rowsOf(session, field.value));
  field.addEventListener("input", show);
  field.addEventListener("keydown", ({ key }) => key === "Escape" && menu.hidePopover());
  session.addEventListener("lanes", show);
  menu.addEventListener("toggle", ({ newState }) => {
    anchor.setAttribute("aria-expanded", String(newState === "open"));
    if (newState === "open") return;
    session.removeEventListener("lanes", show);
    menu.remove();
    anchor.focus();
  });
  show();
  document.body.append(menu);
  menu.showPopover();
  const { left, bottom, top } = anchor.getBoundingClientRect();
  const height = menu.offsetHeight;
  const isBelow = bottom + height + 8 < window.innerHeight;
  menu.style.left = `${Math.max(Math.min(left, window.innerWidth - menu.offsetWidth - 8), 8)}px`;
  menu.style.top = `${isBelow ? bottom + 4 : Math.max(top - height - 4, 8)}px`;
  field.focus();
}

function rowsOf(session, text) {
  const wanted = text.trim().toLowerCase();
  const scores = new Map(session.classes.map((one) => [one.label, one.score]));
  const found = session.labels.filter((label) => label.toLowerCase().includes(wanted));
  found.sort((a, b) => (scores.get(b) ?? -1) - (scores.get(a) ?? -1));
  if (!found.length) return el("p", { class: "quiet" }, `No class has “${text.trim()}” in its name.`);
  const more = found.length - MOST_ROWS;
  return [
    ...found.slice(0, MOST_ROWS).map((label) => rowOf(session, label, scores.get(label))),
    more > 0 && el("p", { class: "quiet" }, `${more} more. Type a part of the name.`),
  ];
}

function rowOf(session, label, value) {
  const isShown = session.lanes.includes(label);
  const isPinned = session.pinned.includes(label);
  const box = el("input", { type: "checkbox", class: "check", checked: isShown,
    onchange: () => keepFocus(box, () => session.showLane(label, box.checked)) });
  const pin = button(`Pin ${label}`, () => keepFocus(pin, () => session.pinLane(label, !isPinned)),
    { icon: "pin", only: true, class: "plain", title: isPinned ? "Unpin this lane" : "Keep this lane on top" });
  pin.setAttribute("aria-pressed", String(isPinned));
  Object.assign(box.dataset, { part: `show ${label}` });
  Object.assign(pin.dataset, { part: `pin ${label}` });
  return el("div", { class: "lanes-row" },
    el("label", {}, box, swatch(session, label),
      el("span", { class: "ends", title: label }, label)),
    value !== undefined && el("span", { class: "quiet" }, score(value)), pin);
}

/** The rows are made again by a change; the focus stays on the same part. */
function keepFocus(node, change) {
  const { part } = node.dataset;
  change();
  document.querySelector(`.lanes-menu [data-part="${CSS.escape(part)}"]`)?.focus();
}
