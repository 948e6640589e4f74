/**
 * Average precision of the segments of one video, as training measures it; every function is pure.
 *
 * The metric is ActivityNet's: training/measurement/metrics.py with one video.
 */

import { tiou } from "../result/segments.js";

/** tIoU thresholds of the table. */
export const TIOUS = [0.3, 0.5, 0.7];

/** Returns the segments best first; of equal scores the later first, as in training. */
function bestFirst(segments) {
  return [...segments].sort((a, b) => a.score - b.score).reverse();
}

/**
 * Returns whether each segment, best first, takes a free true one of its class.
 *
 * Each takes the free one with the largest tIoU, the later of equal ones, if the tIoU reaches the
 * threshold.
 */
function hits(truth, ranked, threshold) {
  const free = new Set(truth);
  return ranked.map((one) => {
    let best = null;
    let most = threshold;
    for (const instance of free) {
      const shared = tiou(one, instance);
      if (shared >= most) [best, most] = [instance, shared];
    }
    free.delete(best);
    return best !== null;
  });
}

/**
 * Returns the average precision of one class; 0 without predictions.
 *
 * Example: hit, miss, hit, miss with 2 true segments. Precision is 1, 1/2, 2/3, 2/4, and monotone
 * 1, 2/3, 2/3, 2/4. The hits have 1 and 2/3, so the result is 0.83.
 */
export function averagePrecision(truth, segments, threshold) {
  const hit = hits(truth, bestFirst(segments), threshold);
  let count = hit.filter(Boolean).length;
  let [sum, highest] = [0, 0];
  for (let rank = hit.length; rank > 0; rank -= 1) {
    highest = Math.max(highest, count / rank);
    if (hit[rank - 1]) [sum, count] = [sum + highest, count - 1];
  }
  return sum / truth.length;
}

/**
 * Returns the measures of a video at one threshold.
 *
 * @param {{label: string, startS: number, endS: number}[]} truth
 * @param {import("../result/segments.js").Segment[]} segments
 * @param {number} threshold tIoU.
 * @returns {{map: number, byClass: Map<string, number>, found: number, missed: number,
 *   extra: number}} `map` is NaN without truth. `extra` counts segments of all classes.
 */
export function measure(truth, segments, threshold) {
  const labels = [...new Set(truth.map((one) => one.label))].sort();
  const byClass = new Map();
  let found = 0;
  for (const label of labels) {
    const own = (list) => list.filter((one) => one.label === label);
    byClass.set(label, averagePrecision(own(truth), own(segments), threshold));
    found += hits(own(truth), bestFirst(own(segments)), threshold).filter(Boolean).length;
  }
  const map = [...byClass.values()].reduce((sum, ap) => sum + ap, 0) / labels.length;
  return { map, byClass, found, missed: truth.length - found, extra: segments.length - found };
}
