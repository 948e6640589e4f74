/** The header: where one is, what one can do here, dark or light, keys. */

import { button, cutInTheMiddle, el, fill } from "./elements.js";
import { icon } from "./icons.js";
import { openKeys } from "./dialogs.js";
import { hashOf } from "../router.js";
import { theme, themeChanges, toggleTheme } from "./theme.js";

/**
 * Shows the header of a view.
 *
 * @param {{title?: string, subtitle?: string, note?: Node, actions?: (Node|null)[]}} [view] - Name
 *   and length of the opened video; none at the start. `note` is behind them, such as
 *   "3 corrections not saved"; `actions` are buttons at the right.
 */
export function showHeader({ title = "", subtitle = "", note, actions = [] } = {}) {
  document.title = title ? `${title} · ECM Localizer` : "ECM Localizer";
  const home = hashOf("start");
  const place = title
    ? [el("a", { class: "logo wide", href: home, ariaLabel: "ECM Localizer" }, icon("logo")),
      el("span", { class: "bar wide" }),
      el("a", { class: "button plain back", href: home, title: "Back to the videos" },
        icon("back"), el("span", { class: "back-word" }, "Videos")),
      el("h1", { class: "title" }, cutInTheMiddle(title)),
      subtitle && el("span", { class: "quiet wide" }, subtitle), note]
    : [el("a", { class: "logo", href: home }, icon("logo"),
      el("span", { class: "strong" }, "ECM Localizer"))];
  const rest = el("div", { class: "rest" }, ...actions, el("span", { class: "bar wide" }),
    themeButton(), button("Keys", openKeys,
      { icon: "help", only: true, class: "plain", title: "Keys (?)" }));
  fill(document.getElementById("header"), ...place, rest);
}

function themeButton() {
  const made = button("", toggleTheme, { only: true, class: "plain theme", icon: "moon" });
  paint(made);
  return made;
}

function paint(made) {
  const isDark = theme() === "dark";
  fill(made, icon(isDark ? "sun" : "moon"));
  made.title = isDark ? "Light" : "Dark";
  made.setAttribute("aria-label", made.title);
}

themeChanges.addEventListener("change",
  () => document.querySelectorAll("#header .theme").forEach(paint));
