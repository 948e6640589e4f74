/** The tip under the pointer: times and scores. */

import { el, fill } from "../../parts/elements.js";
import { clock, score, span } from "../../parts/format.js";

/** Widest tip, in pixels. */
const WIDTH = 260;

export class Tip {
  constructor() {
    this.node = el("div", { class: "tip", ariaHidden: "true", hidden: true });
    this.text = "";
  }

  hide() {
    this.node.hidden = true;
  }

  /** @param {string} first line @param {string} second line @param place in pixels of the window */
  show(first, second, { left, top, bottom }) {
    if (this.text !== first + second) {
      fill(this.node, el("div", { class: "strong ends" }, first), el("div", {}, second));
      this.text = first + second;
    }
    const isBelow = bottom + 60 < window.innerHeight;
    this.node.hidden = false;
    this.node.style.left = `${Math.max(Math.min(left, window.innerWidth - WIDTH), 4)}px`;
    this.node.style.top = `${isBelow ? bottom + 6 : top - 6}px`;
    this.node.classList.toggle("above", !isBelow);
  }
}

/** @returns {[string, string]} the lines of a segment, or of a true one */
export function linesOf({ segment, source, lane }) {
  const title = source === "truth"
    ? `${lane.label} · ground truth`
    : [source === "B" && "B", lane.label, segment.state === "added" ? "added" : score(segment.score),
      ["found", "added"].includes(segment.state) ? null : segment.state].filter(Boolean).join(" · ");
  const { startS, endS } = segment;
  return [title, `${clock(startS)} – ${clock(endS)} · ${span(endS - startS)}`];
}
