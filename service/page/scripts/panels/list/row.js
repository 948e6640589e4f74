/** One row of the list of segments. */

import { el } from "../../parts/elements.js";
import { clock, score, spokenClock } from "../../parts/format.js";
import { icon } from "../../parts/icons.js";
import { classMark } from "../class_mark.js";

const SIGNS = { accepted: "accept", rejected: "close", changed: "correct", added: "add" };

/**
 * @typedef {object} Line All that a row shows.
 * @property {import("../../result/segments.js").Segment} segment
 * @property {number} index Number of the row in the list.
 * @property {number} rowHeight
 * @property {boolean} selected
 * @property {boolean} runs Whether the playhead is in the segment.
 */

/**
 * Returns the row of a line.
 *
 * @param {import("../../result/session.js").Session} session
 * @param {Line} line
 */
export function rowOf(session, { segment, index, rowHeight, selected, runs }) {
  const { id, label, startS, endS, state } = segment;
  const checked = state === "found" ? "" : state;
  const sign = SIGNS[state] ?? (runs ? "play" : null);
  const spoken = checked || (runs ? "running" : "unchecked");
  const cell = (name, content, ariaLabel) =>
    el("span", { role: "gridcell", class: `cell-${name}`, ariaLabel }, content);
  const row = el(
    "div",
    {
      id: `segment-row-${index}`,
      role: "row",
      ariaRowindex: index + 2,
      ariaSelected: String(selected),
      class: `list-row ${checked} ${selected || runs ? "current" : ""}`,
      dataset: { segment: id },
    },
    cell("state", sign && icon(sign), spoken),
    cell("class", classMark(session, label)),
    cell("start", clock(startS), spokenClock(startS)),
    cell("end", clock(endS), spokenClock(endS)),
    cell("score", [scoreBar(segment.score), score(segment.score)]),
  );
  row.style.transform = `translateY(${index * rowHeight}px)`;
  return row;
}

function scoreBar(value) {
  const bar = el("span", {});
  bar.style.width = `${Math.min(100, Math.max(0, 100 * value))}%`;
  return el("span", { class: "meter" }, bar);
}
