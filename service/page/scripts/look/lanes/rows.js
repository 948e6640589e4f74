/** Overlapping segments of a lane, packed into rows. Pure functions. */

/** Rows of a lane at most; what finds no free row shares the last one. */
export const MOST_ROWS = 3;

/**
 * Packs the segments of one lane: the best of those that overlap is in row 0.
 * @param {{startS: number, endS: number, score?: number, state?: string}[]} segments
 * @returns {Map<object, {row: number, rows: number}>} by segment: its row, and the rows of the group
 *   of segments that overlap each other
 */
export function packRows(segments) {
  const placed = new Map();
  for (const group of overlapping(segments)) {
    const rows = placeGroup(group, placed);
    for (const segment of group) placed.get(segment).rows = rows;
  }
  return placed;
}

/** Yields groups in order of time; no segment overlaps one of another group. */
function* overlapping(segments) {
  const ordered = [...segments].sort((a, b) => a.startS - b.startS);
  let group = [];
  let endS = -Infinity;
  for (const segment of ordered) {
    if (group.length && segment.startS >= endS) {
      yield group;
      group = [];
      endS = -Infinity;
    }
    group.push(segment);
    endS = Math.max(endS, segment.endS);
  }
  if (group.length) yield group;
}

/** Gives each segment of a group the first free row, best score first; returns the rows in use. */
function placeGroup(group, placed) {
  const rows = Array.from({ length: MOST_ROWS }, () => new Occupied());
  let used = 1;
  for (const segment of [...group].sort(better)) {
    const free = rows.findIndex((row) => row.isFree(segment));
    const row = free < 0 ? MOST_ROWS - 1 : free;
    if (free >= 0) rows[row].add(segment);
    used = Math.max(used, row + 1);
    placed.set(segment, { row, rows: 1 });
  }
  return used;
}

/** Order of two segments: rejected ones last, then by score, then by time. */
function better(a, b) {
  const rejected = Number(a.state === "rejected") - Number(b.state === "rejected");
  return rejected || (b.score ?? 1) - (a.score ?? 1) || a.startS - b.startS;
}

/** The disjoint segments of one row, in order of time. */
class Occupied {
  #starts = [];
  #ends = [];

  #after({ startS }) {
    let low = 0;
    let high = this.#starts.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#starts[middle] < startS) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  isFree(segment) {
    const next = this.#after(segment);
    const clear = next === this.#starts.length || this.#starts[next] >= segment.endS;
    return clear && (next === 0 || this.#ends[next - 1] <= segment.startS);
  }

  add(segment) {
    const next = this.#after(segment);
    this.#starts.splice(next, 0, segment.startS);
    this.#ends.splice(next, 0, segment.endS);
  }
}
