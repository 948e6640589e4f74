/** The bar above the time line, and the line of hints below it. */

import { button, el, fill } from "../parts/elements.js";
import { capOf } from "../parts/dialogs.js";
import { clock } from "../parts/format.js";
import { titled } from "../parts/keys.js";
import { LEVEL } from "./lanes/lane_canvas.js";
import { openLanesMenu } from "./lanes/lanes_menu.js";

const HINTS = {
  look: [["Space", "play"], ["Enter", "play segment"], ["N", "next segment"], ["E", "correct"]],
  stills: [[", .", "one still back, on"], ["N", "next segment"], ["E", "correct"]],
  compare: [["D", "next difference"], ["Shift+D", "previous"], ["Enter", "play it"]],
  correct: [["[ ]", "move the start"], ["{ }", "move the end"], ["A X", "accept, reject"],
    ["U", "next unchecked"], ["Ctrl+Z", "undo"]],
};

export class TimelineBar {
  /** @param {import("../result/session.js").Session} session @param timeline zooms */
  constructor(session, timeline) {
    this.session = session;
    this.count = el("span", { class: "quiet timeline-count" });
    this.legend = el("div", { class: "timeline-legend" });
    this.range = el("span", { class: "quiet timeline-range" });
    this.lanes = button("Lanes", () => openLanesMenu(this.lanes, session),
      { icon: "eye", class: "plain", title: "Find, pin and hide lanes" });
    this.lanes.setAttribute("aria-haspopup", "dialog");
    this.own = el("div", { class: "timeline-own" }, this.count, this.lanes, this.legend,
      el("span", { class: "timeline-rest" }), this.range,
      button("Farther", () => timeline.zoom(2),
        { icon: "minus", only: true, class: "plain", title: titled("Farther", "Shift+Z") }),
      button("Closer", () => timeline.zoom(1 / 2),
        { icon: "add", only: true, class: "plain", title: titled("Closer", "Z") }),
      button("Whole video", () => timeline.showAll(),
        { icon: "fit", class: "plain", title: titled("Whole video", "V") }));
    this.toolbar = el("div", { class: "timeline-toolbar", hidden: true });
    this.hints = el("div", { class: "timeline-hints" });
    this.heading = el("h2", {}, "Time line");
    this.node = el("div", { class: "timeline-bar" }, this.heading, this.own, this.toolbar);
  }

  /** Shows what the mode needs. */
  update() {
    const { session } = this;
    const isCompared = session.modelB !== null;
    this.own.hidden = session.correcting;
    this.toolbar.hidden = !session.correcting;
    this.heading.classList.toggle("unseen", session.correcting);
    this.node.classList.toggle("correcting", session.correcting);
    this.count.textContent = `${session.lanes.length} of ${session.labels.length} classes`;
    this.count.hidden = isCompared;
    fill(this.legend, this.#legend(isCompared));
    this.#updateHints(isCompared);
  }

  #legend(isCompared) {
    const { model, modelB, truth } = this.session;
    const entry = (kind, text) =>
      el("span", { class: "timeline-entry" }, el("span", { class: `sample ${kind}` }), text);
    return [
      isCompared && entry("a", `A ${model.name} v${model.version}`),
      isCompared && entry("b", `B ${modelB.name} v${modelB.version}`),
      truth && entry("truth", "Ground truth"),
    ];
  }

  #updateHints(isCompared) {
    const { correcting, canPlay, videoUrl, activation } = this.session;
    const without = videoUrl && !canPlay ? "stills" : "look";
    const mode = correcting ? "correct" : isCompared ? "compare" : without;
    const note = correcting ? "Drag a handle, or use the keys"
      : activation && !isCompared && `Dotted line: activation ${LEVEL.toFixed(2)}`;
    fill(this.hints, [...HINTS[mode], ["?", "all keys"]].map(([keys, text]) =>
      el("span", { class: "hint" }, keys.split(" ").map((key) => capOf(key)), text)),
    note && el("span", { class: "timeline-note" }, note));
  }

  /** @param {{startS: number, endS: number}} view */
  showRange({ startS, endS }) {
    this.range.textContent = `${clock(startS)} – ${clock(endS)}`;
  }
}
