/** Activation of each class within a segment; a pure function. */

/**
 * Returns the mean activation of each class over the snippets whose centre is within a segment; of
 * the nearest snippet where there is none.
 *
 * @param {import("../result/session.js").Activation} activation
 * @param {{startS: number, endS: number}} segment
 * @returns {number[]} In the order of the model's labels.
 */
export function meanWithin({ snippets, classes, values, snippetS, firstS }, { startS, endS }) {
  const nearest = Math.round(((startS + endS) / 2 - firstS) / snippetS);
  let first = Math.max(0, Math.ceil((startS - firstS) / snippetS));
  let last = Math.min(snippets - 1, Math.floor((endS - firstS) / snippetS));
  if (first > last) first = last = Math.min(Math.max(nearest, 0), snippets - 1);
  // Values below 0 are background.
  const level = (index) => Math.min(Math.max(values[index], 0), 1);
  const sums = new Array(classes).fill(0);
  for (let row = first; row <= last; row += 1) {
    for (let column = 0; column < classes; column += 1)
      sums[column] += level(row * classes + column);
  }
  return sums.map((sum) => sum / (last - first + 1));
}
