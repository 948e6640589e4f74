/** Tabs: arrow keys move between them, and the chosen one shows its panel. */

import { el } from "./elements.js";

/**
 * Returns a row of tabs. None is chosen at first.
 *
 * @param {string} label Spoken name of the row.
 * @param {{name: string, text?: string, panel: HTMLElement}[]} tabs `text` is the name if absent;
 *   panels have an id.
 * @param {(name: string) => void} show Shows the panel of a tab, and hides the others.
 * @returns {{element: HTMLElement, choose: (name: string) => void,
 *   setText: (name: string, text: string) => void, offer: (names: string[]) => void}} `offer` shows
 *   some of the tabs only.
 */
export function tabList(label, tabs, show) {
  const buttons = new Map(tabs.map(({ name, text = name, panel }) => [name,
    el("button", { type: "button", role: "tab", "aria-controls": panel.id,
      onclick: () => choose(name) }, text)]));
  let chosen = null;
  const choose = (name) => {
    chosen = name;
    for (const [other, one] of buttons) {
      one.setAttribute("aria-selected", String(other === name));
      one.tabIndex = other === name ? 0 : -1;
    }
    show(name);
  };
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const offered = [...buttons.keys()].filter((name) => !buttons.get(name).hidden);
    choose(offered.at((offered.indexOf(chosen) + step) % offered.length));
    buttons.get(chosen).focus();
  };
  return {
    element: el("div", { class: "segmented", role: "tablist", ariaLabel: label, onkeydown: move },
      [...buttons.values()]),
    choose,
    setText: (name, text) => { buttons.get(name).textContent = text; },
    offer: (names) => {
      for (const [name, one] of buttons) one.hidden = !names.includes(name);
      if (!names.includes(chosen)) choose(names[0]);
    },
  };
}
