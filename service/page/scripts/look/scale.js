/**
 * The part of a video in view, and the pixels that show it. Pure functions; a view is
 * `{startS, endS}` in seconds.
 */

/** The straight line between the seconds of a view and the pixels of a width. */
export class Scale {
  /** @param {{startS: number, endS: number}} view @param {number} width in CSS pixels */
  constructor(view, width) {
    this.startS = view.startS;
    this.endS = view.endS;
    this.width = Math.max(width, 1);
    this.pixelsPerS = this.width / Math.max(view.endS - view.startS, 1e-9);
  }

  /** @returns {number} the pixel, from the left edge, that shows `timeS` */
  x(timeS) {
    return (timeS - this.startS) * this.pixelsPerS;
  }

  /** @returns {number} the time that pixel `x` shows */
  time(x) {
    return this.startS + x / this.pixelsPerS;
  }
}

/** @returns the view of a length, moved so that it is in the video */
export function fitted(startS, lengthS, durationS) {
  const length = Math.min(lengthS, durationS);
  const start = Math.min(Math.max(startS, 0), durationS - length);
  return { startS: start, endS: start + length };
}

/**
 * @param {number} leastS shortest length of a view
 * @returns the view `factor` times as long; `anchorS` keeps its place on the screen
 */
export function zoomed(view, factor, anchorS, { durationS, leastS }) {
  const length = view.endS - view.startS;
  const share = (anchorS - view.startS) / length;
  const next = Math.min(Math.max(length * factor, leastS), durationS);
  return fitted(anchorS - share * next, next, durationS);
}

/** @returns the view moved by `byS` seconds, at most to the ends of the video */
export function panned(view, byS, durationS) {
  return fitted(view.startS + byS, view.endS - view.startS, durationS);
}

/**
 * @returns the view that contains `timeS`: the same where it is in view already, else the page that
 *   starts a tenth of its length before it
 */
export function pageWith(view, timeS, durationS) {
  if (timeS >= view.startS && timeS <= view.endS) return view;
  const length = view.endS - view.startS;
  return fitted(timeS - length / 10, length, durationS);
}

/** @returns the view that shows all of a segment, with half of its length on both sides */
export function around({ startS, endS }, durationS) {
  const margin = (endS - startS) / 2;
  return fitted(startS - margin, endS - startS + 2 * margin, durationS);
}
