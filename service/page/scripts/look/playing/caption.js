/** The label over the picture: the running segment and its score. */

import { el, fill } from "../../parts/elements.js";
import { score } from "../../parts/format.js";
import { swatch } from "../../panels/class_mark.js";
import { runningAt } from "../../result/segments.js";

export class Caption {
  #shown = "";

  /** @param {import("../../result/session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.node = el("div", { class: "caption", hidden: true });
  }

  update() {
    const { session } = this;
    const running = session.running;
    const other = session.modelB && runningAt(session.segmentsB, session.timeS);
    const shown = running ?? other;
    const scores = session.modelB ? compared(shown, running, other) : running && [score(running.score)];
    const key = shown ? [shown.label, ...scores].join("\n") : "";
    if (key === this.#shown) return;
    this.#shown = key;
    this.node.hidden = !shown;
    if (!shown) return;
    fill(this.node, swatch(session, shown.label),
      el("span", { class: "strong ends" }, shown.label), scores.map((text) => el("span", {}, text)));
  }
}

/** @returns {[string, string]} "A 0.38", "B none" */
function compared(shown, running, other) {
  const text = (name, one) =>
    `${name} ${one && one.label === shown?.label ? score(one.score) : "none"}`;
  return [text("A", running), text("B", other)];
}
