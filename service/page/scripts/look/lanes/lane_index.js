/** The segments of one lane, sorted once, so that each frame reads only those in view. */

import { packRows } from "./rows.js";

/** Segments narrower than this are drawn as the highest score of a pixel. */
const DENSE_PIXELS = 3;

export class LaneIndex {
  /** @param segments all of one class and one source, as session.js has them */
  constructor(segments) {
    const places = packRows(segments);
    this.segments = [...segments].sort((a, b) => a.startS - b.startS);
    this.places = this.segments.map((segment) => places.get(segment));
    this.startsS = Float64Array.from(this.segments, ({ startS }) => startS);
    const lengths = Float64Array.from(this.segments, ({ startS, endS }) => endS - startS).sort();
    this.longestS = lengths.at(-1) ?? 0;
    this.medianS = lengths[lengths.length >> 1] ?? 0;
  }

  get length() {
    return this.segments.length;
  }

  /** @returns {[number, number]} the indices, end excluded, that hold all segments in view */
  range(startS, endS) {
    return [this.#firstFrom(startS - this.longestS), this.#firstFrom(endS)];
  }

  /** @returns {object[]} the segments that overlap the view, in order of time */
  inView({ startS, endS }) {
    const [from, to] = this.range(startS, endS);
    return this.segments.slice(from, to).filter((segment) => segment.endS > startS);
  }

  /** @returns {boolean} whether most segments are too narrow to be drawn one by one */
  isDense(pixelsPerS) {
    return this.length > 1 && this.medianS * pixelsPerS < DENSE_PIXELS;
  }

  /** @returns {{segment: object, row: number, rows: number}[]} all within `toleranceS` of a time */
  at(timeS, toleranceS) {
    const [from, to] = this.range(timeS - toleranceS, timeS + toleranceS + 1e-9);
    const found = [];
    for (let i = from; i < to; i += 1) {
      if (this.segments[i].endS + toleranceS >= timeS) {
        found.push({ segment: this.segments[i], ...this.places[i] });
      }
    }
    return found;
  }

  /**
   * @returns {Float32Array} the highest score at each pixel, 0 where there is none; each segment
   *   takes three pixels or more
   */
  highest(scale) {
    const scores = new Float32Array(Math.ceil(scale.width));
    const [from, to] = this.range(scale.startS, scale.endS);
    for (let i = from; i < to; i += 1) {
      const { startS, endS, score, state } = this.segments[i];
      if (state === "rejected" || endS <= scale.startS) continue;
      const first = Math.max(Math.floor(scale.x(startS)), 0);
      const last = Math.min(Math.max(scale.x(endS), first + DENSE_PIXELS), scores.length);
      for (let x = first; x < last; x += 1) scores[x] = Math.max(scores[x], score);
    }
    return scores;
  }

  #firstFrom(timeS) {
    let low = 0;
    let high = this.startsS.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.startsS[middle] < timeS) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
