/** Which segments the list shows, and in which order; pure functions. */

/** Columns by name, with the value that each sorts by. */
const VALUES = {
  class: (one) => one.label,
  start: (one) => one.startS,
  end: (one) => one.endS,
  score: (one) => one.score,
};

/**
 * Returns the segments of the list.
 *
 * @param {import("../../result/segments.js").Segment[]} segments
 * @param {{column: keyof VALUES, descending: boolean}} order Equal values are by start.
 * @param {{label: string|null, text: string, unchecked: boolean}} filter
 */
export function rowsOf(segments, { column, descending }, { label, text, unchecked }) {
  const wanted = text.trim().toLowerCase();
  const sign = descending ? -1 : 1;
  const value = VALUES[column];
  const compare =
    column === "class" ? (a, b) => a.label.localeCompare(b.label) : (a, b) => value(a) - value(b);
  return segments
    .filter((one) => label === null || one.label === label)
    .filter((one) => !wanted || one.label.toLowerCase().includes(wanted))
    .filter((one) => !unchecked || one.state === "found")
    .sort((a, b) => sign * compare(a, b) || a.startS - b.startS || a.endS - b.endS);
}

/** Returns the rows in view with some more above and below: `[first, last)`. */
export function windowOf({ scrollTop, height, rowHeight, count, spare = 6 }) {
  const first = Math.max(0, Math.floor(scrollTop / rowHeight) - spare);
  const last = Math.min(count, Math.ceil((scrollTop + height) / rowHeight) + spare);
  return [Math.min(first, count), Math.max(last, 0)];
}
