/** The swatch of a class, and its name beside it. */

import { el } from "../parts/elements.js";

/** Returns the swatch of a label in its colour and shape. */
export function swatch(session, label) {
  const { color, shape } = session.colorOf(label);
  const mark = el("span", { class: `swatch ${shape}` });
  mark.style.color = `var(${color})`;
  return mark;
}

/** Returns swatch and name; the whole name in its title. */
export function classMark(session, label) {
  return el(
    "span",
    { class: "class-mark" },
    swatch(session, label),
    el("span", { class: "ends", title: label }, label),
  );
}
