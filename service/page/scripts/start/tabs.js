/** Tabs: arrow keys move between them, and each shows its panel. */

import { el } from "../elements.js";

let count = 0;

/**
 * Returns tabs with their panels; the panel alone where there is one.
 *
 * @param {string} label - Spoken name of the row of tabs.
 * @param {{name: string, panel: HTMLElement, shown?: () => void}[]} all - `shown` is called when a
 *   panel comes into sight.
 * @returns {HTMLElement}
 */
export function tabs(label, all) {
  const first = `tab-${++count}`;
  if (all.length === 1) return el("div", { class: "way-tabs" }, all[0].panel);
  const buttons = all.map(({ name }, place) => el("button", { type: "button", role: "tab",
    id: `${first}-${place}`, onclick: () => show(place) }, name));
  const show = (chosen) => all.forEach(({ panel, shown }, place) => {
    const isChosen = place === chosen;
    buttons[place].setAttribute("aria-selected", String(isChosen));
    buttons[place].tabIndex = isChosen ? 0 : -1;
    if (isChosen && panel.hidden) shown?.();
    panel.hidden = !isChosen;
  });
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (buttons.indexOf(document.activeElement) + step + all.length) % all.length;
    buttons[next].focus();
    show(next);
  };
  all.forEach(({ panel }, place) => {
    panel.setAttribute("role", "tabpanel");
    panel.setAttribute("aria-labelledby", `${first}-${place}`);
    panel.hidden = true;
  });
  show(0);
  return el("div", { class: "way-tabs" },
    el("div", { class: "segmented", role: "tablist", ariaLabel: label, onkeydown: move }, buttons),
    all.map(({ panel }) => panel));
}
