/** Tabs of the panels, where the page is too narrow to show all of them. */

import { el } from "../elements.js";

/**
 * Returns a tab list for panels; the style sheet shows it, and hides panels, on narrow pages only.
 *
 * @param {HTMLElement} root Gets `data-tab`, the name of the chosen panel.
 * @param {{name: string, text: string, panel: HTMLElement}[]} tabs
 * @returns {{element: HTMLElement, choose: (name: string) => void,
 *   setText: (name: string, text: string) => void, offer: (names: string[]) => void}} `offer` shows
 *   some of the tabs only.
 */
export function tabsOf(root, tabs) {
  const buttons = new Map(
    tabs.map(({ name, text, panel }) => [
      name,
      el(
        "button",
        { type: "button", role: "tab", "aria-controls": panel.id, onclick: () => choose(name) },
        text,
      ),
    ]),
  );
  const choose = (name) => {
    root.dataset.tab = name;
    for (const [other, one] of buttons) {
      one.setAttribute("aria-selected", String(other === name));
      one.tabIndex = other === name ? 0 : -1;
    }
    const chosen = tabs.find((one) => one.name === name).panel;
    for (const { panel } of tabs) panel.classList.toggle("chosen", panel === chosen);
  };
  const move = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const shown = tabs.filter((one) => !buttons.get(one.name).hidden).map((one) => one.name);
    const next = shown[(shown.indexOf(root.dataset.tab) + step + shown.length) % shown.length];
    choose(next);
    buttons.get(next).focus();
    event.preventDefault();
  };
  const element = el(
    "div",
    { class: "segmented tabs", role: "tablist", ariaLabel: "Panels", onkeydown: move },
    [...buttons.values()],
  );
  return {
    element,
    choose,
    setText: (name, text) => {
      buttons.get(name).textContent = text;
    },
    offer: (names) => {
      for (const [name, one] of buttons) one.hidden = !names.includes(name);
      if (!names.includes(root.dataset.tab)) choose(names[0]);
    },
  };
}
