/** The ways in which a video comes, as tabs. */

import { el } from "../parts/elements.js";
import { tabList } from "../parts/tab_list.js";

/**
 * Returns tabs with their panels; the panel alone where there is one.
 *
 * @param {{name: string, panel: HTMLElement, shown?: () => void}[]} all `shown` is called when a
 *   panel comes into sight.
 * @returns {HTMLElement}
 */
export function waysOf(all) {
  const panels = all.map(({ panel }) => panel);
  if (all.length === 1) return el("div", { class: "way-tabs" }, panels);
  all.forEach(({ name, panel }, place) => {
    Object.assign(panel, { id: `way-${place}`, role: "tabpanel", ariaLabel: name, hidden: true });
  });
  const tabs = tabList("Where the video is", all, (chosen) => {
    for (const { name, panel, shown } of all) {
      if (name === chosen && panel.hidden) shown?.();
      panel.hidden = name !== chosen;
    }
  });
  tabs.choose(all[0].name);
  return el("div", { class: "way-tabs" }, tabs.element, panels);
}
