/** Places of the parts of a lane, in CSS pixels from its top. Pure functions. */

/** Lanes up to this number have the full height. */
const FULL_LANES = 6;

const FULL = { height: 76, bands: { A: [8, 24] }, curve: [36, 34] };
const LOW = { height: 44, bands: { A: [8, 30] }, curve: [6, 34], over: true };
/** The name is above the lane, because there is no room beside it. */
const NARROW = { height: 50, bands: { A: [20, 24] }, curve: [20, 26], over: true };
const COMPARED = { height: 82, bands: { A: [5, 18], B: [26, 18] }, curve: [48, 30] };
const COMPARED_WITH_TRUTH = {
  height: 102,
  bands: { A: [5, 18], B: [26, 18], truth: [47, 16] },
  curve: [68, 30],
};
/** Truth beside one result: a band of truth under the segments of a full lane. */
const WITH_TRUTH = { height: 96, bands: { A: [8, 24], truth: [36, 16] }, curve: [58, 32] };

/**
 * @param {{lanes: number, compared: boolean, truth: boolean, narrow: boolean}} shown
 * @returns {{height: number, bands: Object<string, [number, number]>, curve: [number, number],
 *   over?: boolean}}
 *   tops and heights; `bands` has A, and where they are shown B and truth; `over` is true where
 *   segments are drawn over the curve
 */
export function laneLayout({ lanes, compared, truth, narrow }) {
  if (compared) return truth ? COMPARED_WITH_TRUTH : COMPARED;
  if (truth) return WITH_TRUTH;
  if (narrow) return NARROW;
  return lanes > FULL_LANES ? LOW : FULL;
}

/** Heights of the rows of a group of overlapping segments, as shares of the band. */
const ROWS = { 1: [[0, 24]], 2: [[0, 15], [17, 7]], 3: [[0, 13], [14, 4.5], [19.5, 4.5]] };

/**
 * @param {[number, number]} band top and height
 * @returns {[number, number]} top and height of one row of `rows`
 */
export function rowPlace([top, height], row, rows) {
  const [rowTop, rowHeight] = ROWS[rows][row];
  return [top + (rowTop * height) / 24, (rowHeight * height) / 24];
}
