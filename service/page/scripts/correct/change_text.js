/** Words and icon of each kind of correction. */

import { clock } from "../parts/format.js";

const TEXTS = {
  accept: ["Accepted", "accept"],
  reject: ["Rejected", "close"],
  relabel: ["Class", "tag"],
  split: ["Split", "split"],
  merge: ["Merged", "merge"],
  start: ["Start", "correct"],
  end: ["End", "correct"],
  add: ["Added", "add"],
  remove: ["Removed", "close"],
  load: ["Loaded what was saved", "download"],
};

/**
 * Returns the words of a change, for instance "Start +0.20 s" and "Snatch 01:37.3".
 *
 * @param {{kind: string, segment: import("../result/segments.js").Segment, byS: number}} change
 * @returns {{text: string, detail: string, icon: string}}
 */
export function changeText({ kind, segment, byS }) {
  const [name, icon] = TEXTS[kind];
  const shift = `${byS < 0 ? "−" : "+"}${Math.abs(byS).toFixed(2)} s`;
  const text = kind === "start" || kind === "end" ? `${name} ${shift}` : name;
  const detail = kind === "load" ? "" : `${segment.label} ${clock(segment.startS)}`;
  return { text, detail, icon };
}
