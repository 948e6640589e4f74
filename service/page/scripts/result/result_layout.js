/** The cards of the result view; the style sheet places them. */

import { el, fill } from "../parts/elements.js";
import { gripOf } from "../panels/grip.js";
import { tabList } from "../parts/tab_list.js";

/** A section that is named by the heading which its content brings. */
function section(kind, title, id) {
  const made = el("section", { class: kind, id });
  made.setAttribute("aria-labelledby", title);
  return made;
}

/**
 * Fills the root of the view with empty cards.
 *
 * @param {HTMLElement} root
 * @returns {Record<string, HTMLElement> & {tabs: ReturnType<typeof tabList>}} The cards by name, the
 *   view itself, and the tabs that stand for panels on narrow pages.
 */
export function layOut(root) {
  const cards = {
    view: el("div", { class: "result" }),
    messages: el("div", { class: "messages" }),
    player: el("section", { class: "card player-card" }),
    measures: section("part measures-part", "measures-title"),
    classes: section("part classes", "classes-title"),
    sliders: section("part sliders-part", "find-again-title"),
    choice: section("part choice-part", "class-title"),
    changes: section("part changes-part", "changes-title"),
    list: section("card panel segments", "segments-title", "segments"),
    differences: section("card panel differences", "differences-title", "differences"),
    timeline: el("section", { class: "card timeline-card" }),
    phone: el("div", { class: "phone-bar" }),
  };
  const { view, measures, classes, sliders, choice, changes } = cards;
  const parts = [measures, classes, sliders, choice, changes];
  const find = el("div", { id: "find-panel", class: "card panel find" }, parts);
  const tabs = tabsOver(view, find, cards);
  const panels = [cards.player, tabs.element, find, cards.list, cards.differences];
  const upper = el("div", { class: "upper" }, panels);
  const grip = gripOf(view, cards.timeline);
  fill(view, cards.messages, upper, grip, cards.timeline, cards.phone);
  fill(root, view);
  return { ...cards, tabs };
}

/** The style sheet shows the tabs, and hides the panels that are not chosen, on narrow pages only. */
function tabsOver(view, find, { list, differences }) {
  const all = [
    { name: "list", text: "Segments", panel: list },
    { name: "differences", text: "Differences", panel: differences },
    { name: "classes", text: "Classes", panel: find },
    { name: "sliders", text: "Find again", panel: find },
    { name: "measures", text: "mAP", panel: find },
    { name: "choice", text: "Class", panel: find },
    { name: "changes", text: "Changes", panel: find },
  ];
  const tabs = tabList("Panels", all, (name) => {
    view.dataset.tab = name;
    const chosen = all.find((one) => one.name === name).panel;
    for (const { panel } of all) panel.classList.toggle("chosen", panel === chosen);
  });
  tabs.element.classList.add("tabs");
  return tabs;
}
