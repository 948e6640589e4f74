/**
 * Segments of one video: their form on the page, which are shown, and which is next.
 *
 * @typedef {object} Segment
 * @property {string} id Stable name: the same segment found again has the same id.
 * @property {string} label Class.
 * @property {number} startS Start in seconds.
 * @property {number} endS End in seconds, after the start.
 * @property {number} score Score of the localization; may exceed 1. 1 for an added segment.
 * @property {"found"|"accepted"|"rejected"|"changed"|"added"} state
 * @property {"A"|"B"} source Result that it is of.
 */

/** Lowest score at the start: fast-soft NMS keeps nested duplicates with low scores. */
export const START_SCORE = 0.2;

/**
 * Returns segments of the service's response as segments of the page.
 *
 * The id contains label and times, so that corrections survive a search with other options. Equal
 * segments are numbered.
 *
 * @param {{label: string, start_s: number, end_s: number, score: number}[]} results
 * @param {"A"|"B"} source
 * @returns {Segment[]}
 */
export function fromResults(results, source = "A") {
  const count = new Map();
  return results.map(({ label, start_s: startS, end_s: endS, score }) => {
    const name = `${source}:${label}:${startS}-${endS}`;
    const repeats = count.get(name) ?? 0;
    count.set(name, repeats + 1);
    const id = repeats ? `${name}#${repeats}` : name;
    return { id, label, startS, endS, score, state: "found", source };
  });
}

/**
 * Returns the segments with at least a score, the best ones if there are more than allowed.
 *
 * @param {Segment[]} segments
 * @param {{minScore: number, maxSegments: number|null}} options
 */
export function strongEnough(segments, { minScore, maxSegments }) {
  const left = segments.filter((one) => one.score >= minScore);
  if (maxSegments === null || left.length <= maxSegments) return left;
  return [...left].sort((a, b) => b.score - a.score).slice(0, maxSegments);
}

/** Returns the segments by start, then end. */
export function byTime(segments) {
  return [...segments].sort((a, b) => a.startS - b.startS || a.endS - b.endS);
}

/** Returns the best segment that contains a time and is not rejected, or null. */
export function runningAt(segments, timeS) {
  let best = null;
  for (const one of segments) {
    const runs = one.startS <= timeS && timeS < one.endS && one.state !== "rejected";
    if (runs && (best === null || one.score > best.score)) best = one;
  }
  return best;
}

/**
 * Returns the segment before or after the selected one in time, or before or after a time.
 *
 * @param {Segment[]} segments
 * @param {{selectedId: string|null, timeS: number, step: 1|-1}} from
 * @returns {Segment|null}
 */
export function neighbour(segments, { selectedId, timeS, step }) {
  const ordered = byTime(segments);
  const index = ordered.findIndex((one) => one.id === selectedId);
  if (index >= 0) return ordered[index + step] ?? null;
  const later = ordered.findIndex((one) => one.startS > timeS);
  const next = later < 0 ? ordered.length : later;
  return ordered[step > 0 ? next : next - 1] ?? null;
}

/** Returns the temporal intersection over union of two segments; 0 for two empty ones. */
export function tiou(a, b) {
  const shared = Math.max(0, Math.min(a.endS, b.endS) - Math.max(a.startS, b.startS));
  const union = a.endS - a.startS + (b.endS - b.startS) - shared;
  return union > 0 ? shared / union : 0;
}
