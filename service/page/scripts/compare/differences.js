/** Where results A and B differ from each other and from the truth; every function is pure. */

import { tiou } from "../result/segments.js";

/** tIoU from which a segment counts as that of a true one. */
export const FOUND_TIOU = 0.3;
/** tIoU from which a segment of A and one of B are of the same action. */
const SAME_TIOU = 0.1;
/** tIoU from which two segments of the same action do not differ. */
const EQUAL_TIOU = 0.5;

/** Kinds of differences, by the words of the menu. */
export const KINDS = {
  onlyA: "Only A finds it",
  onlyB: "Only B finds it",
  neither: "Neither finds it",
  split: "Split in two",
  moved: "Other times",
};

/**
 * @typedef {object} Difference
 * @property {keyof KINDS} kind
 * @property {string} label
 * @property {number} startS
 * @property {number} endS
 * @property {string} text For instance "B starts 2.5 s later".
 * @property {string} detail For instance "tIoU A 0.90, B 0.39".
 * @property {string|null} id Segment to select; null where neither found it.
 */

const bestTiou = (one, others) => Math.max(0, ...others.map((other) => tiou(one, other)));

/** Returns the results, of "A" and "B", that do not find a true segment. */
export function missedBy(instance, segmentsA, segmentsB) {
  const own = (list) => list.filter((one) => one.label === instance.label);
  const misses = (list) => bestTiou(instance, own(list)) < FOUND_TIOU;
  return [
    ["A", segmentsA],
    ["B", segmentsB],
  ]
    .filter(([, list]) => list && misses(list))
    .map(([name]) => name);
}

/**
 * Returns where A and B differ, by time.
 *
 * @param {import("../result/segments.js").Segment[]} segmentsA
 * @param {import("../result/segments.js").Segment[]} segmentsB
 * @param {{label: string, startS: number, endS: number}[]|null} truth
 * @returns {Difference[]}
 */
export function differences(segmentsA, segmentsB, truth) {
  const labels = new Set([...segmentsA, ...segmentsB, ...(truth ?? [])].map((one) => one.label));
  const own = (list, label) => list.filter((one) => one.label === label);
  return [...labels]
    .flatMap((label) =>
      ofClass(own(segmentsA, label), own(segmentsB, label), truth && own(truth, label)),
    )
    .sort((a, b) => a.startS - b.startS);
}

function ofClass(ofA, ofB, truth) {
  const pairs = pairsOf(ofA, ofB);
  const [pairedA, pairedB] = [new Map(pairs), new Map(pairs.map(([a, b]) => [b, a]))];
  const moved = pairs.filter(([a, b]) => tiou(a, b) < EQUAL_TIOU);
  const missed = (truth ?? []).filter((one) => missedBy(one, ofA, ofB).length === 2);
  return [
    ...moved.map(([a, b]) => movedRow(a, b, truth)),
    ...unpaired("A", ofA, pairedA, pairedB, truth),
    ...unpaired("B", ofB, pairedB, pairedA, truth),
    ...missed.map((one) => ({
      ...place(one),
      kind: "neither",
      text: KINDS.neither,
      detail: "in the truth",
      id: null,
    })),
  ];
}

/** Returns pairs of A and B that are of the same action, those with the largest tIoU first. */
function pairsOf(ofA, ofB) {
  const likely = ofA
    .flatMap((a) => ofB.map((b) => ({ a, b, shared: tiou(a, b) })))
    .filter(({ shared }) => shared >= SAME_TIOU)
    .sort((one, other) => other.shared - one.shared);
  const taken = new Set();
  return likely
    .filter(({ a, b }) => !taken.has(a) && !taken.has(b) && taken.add(a) && taken.add(b))
    .map(({ a, b }) => [a, b]);
}

const place = ({ label, startS, endS }) => ({ label, startS, endS });

function movedRow(a, b, truth) {
  const [startBy, endBy] = [b.startS - a.startS, b.endS - a.endS];
  const isStart = Math.abs(startBy) >= Math.abs(endBy);
  const byS = isStart ? startBy : endBy;
  const shift = `${Math.abs(byS).toFixed(1)} s ${byS > 0 ? "later" : "earlier"}`;
  const text = `B ${isStart ? "starts" : "ends"} ${shift}`;
  const detail = truth
    ? `tIoU A ${bestTiou(a, truth).toFixed(2)}, B ${bestTiou(b, truth).toFixed(2)}`
    : `tIoU of A and B ${tiou(a, b).toFixed(2)}`;
  return { ...place(a), kind: "moved", text, detail, id: a.id };
}

/**
 * Returns the segments of one result without a partner in the other.
 *
 * A segment within one of the other result splits that, unless it only repeats the partner of that.
 */
function unpaired(name, own, paired, partnerOf, truth) {
  const rows = [];
  for (const one of own.filter((segment) => !paired.has(segment))) {
    const whole = [...partnerOf.keys()].find((other) => covers(other, one));
    if (whole && tiou(partnerOf.get(whole), one) > 0) continue;
    const kind = whole ? "split" : `only${name}`;
    const text = whole ? `${name} splits it in two` : KINDS[kind];
    rows.push({ ...place(one), kind, text, detail: inTruth(one, truth), id: one.id });
  }
  return rows;
}

/** Returns whether one segment contains at least half of another. */
function covers(whole, part) {
  const shared = Math.min(whole.endS, part.endS) - Math.max(whole.startS, part.startS);
  return shared >= (part.endS - part.startS) / 2;
}

function inTruth(segment, truth) {
  if (!truth) return `score ${segment.score.toFixed(2)}`;
  const best = bestTiou(segment, truth);
  return best > 0 ? `tIoU ${best.toFixed(2)}` : "not in the truth";
}
