/** Choice of the classes that have a lane, and their order. */

export const MOST_LANES = 12;

/**
 * Returns the labels of the lanes, in order.
 *
 * Chosen are pinned classes, then classes with corrections or truth, then classes above the
 * threshold; at most 12, but all that are pinned. Pinned ones come first, the others by their score,
 * so that lanes stay where they are while somebody corrects. Hidden classes are left out.
 *
 * @param {object} from
 * @param {{label: string, score: number}[]} from.classes
 * @param {number} from.threshold Class threshold.
 * @param {string[]} from.pinned Labels in the order in which they were pinned.
 * @param {Set<string>} from.hidden Labels whose box is not checked.
 * @param {Iterable<string>} from.marked Labels with corrections or truth.
 * @returns {string[]}
 */
export function chooseLanes({ classes, threshold, pinned, hidden, marked }) {
  const noted = new Set(marked);
  const byScore = [...classes].sort((a, b) => b.score - a.score);
  const chosen = new Set(pinned);
  const add = (labels) => {
    for (const label of labels) if (chosen.size < MOST_LANES) chosen.add(label);
  };
  add(byScore.filter((one) => noted.has(one.label)).map((one) => one.label));
  add(noted);
  add(byScore.filter((one) => one.score >= threshold).map((one) => one.label));
  const others = byScore.map((one) => one.label).filter((label) => !pinned.includes(label));
  const unknown = [...chosen].filter((label) => !classes.some((one) => one.label === label));
  return [...new Set([...pinned, ...others, ...unknown])].filter(
    (label) => chosen.has(label) && !hidden.has(label),
  );
}
