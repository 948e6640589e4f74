/** List of the changes; a click undoes, or redoes, to there. */

import { el, fill } from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { on, onceAFrame } from "../panels/schedule.js";
import { changes, unsaved } from "./edits.js";
import { changeText } from "./change_text.js";

/**
 * Fills a section with the changes of the session.
 *
 * @param {HTMLElement} root
 * @param {import("../result/session.js").Session} session
 * @param {AbortSignal} signal
 */
export function mountChanges(root, session, signal) {
  const summary = el("span", { class: "quiet" });
  const list = el("ol", { class: "changes" });
  fill(
    root,
    el("div", { class: "card-head" }, el("h2", { id: "changes-title" }, "Changes"), summary),
    list,
    el(
      "p",
      { class: "changes-note quiet" },
      "Saving downloads an annotations file that ",
      el("code", {}, "ecm fit"),
      " takes as it is.",
    ),
  );
  const paint = onceAFrame(() => {
    const { history } = session;
    const count = unsaved(history);
    fill(summary, count ? `${count} not saved` : history.edits.length ? "all saved" : "none yet");
    const rows = changes(history.edits);
    fill(
      list,
      rows.length > 0 && asFound(session),
      rows.map((one) => rowOf(session, one)),
    );
    list.querySelector(".now")?.scrollIntoView({ block: "nearest" });
  }, signal);
  on(session, "history", paint, signal);
  paint();
}

function asFound(session) {
  return entry(session, 0, [el("span", { class: "no-icon" }), el("span", {}, "As found")]);
}

function rowOf(session, change) {
  const { text, detail, icon: name } = changeText(change);
  const parts = [
    icon(name),
    el("span", {}, text),
    el("span", { class: "quiet small ends" }, detail),
  ];
  return entry(session, change.position, parts, change.kind);
}

function entry(session, position, parts, sort = "") {
  const now = session.history.position;
  const kind = position === now ? "now" : position > now ? "undone" : "";
  const title = position > now ? "Redo to here" : "Undo to here";
  const made = el(
    "button",
    {
      type: "button",
      class: `change ${sort} ${kind}`,
      title,
      onclick: () => session.goTo(position),
    },
    parts,
  );
  if (kind === "now") made.setAttribute("aria-current", "step");
  return el("li", {}, made);
}
