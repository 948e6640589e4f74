/**
 * Corrections as a list of edits that can be undone; every function is pure.
 *
 * An edit replaces some segments by others, whatever its kind. Undoing it is the same exchange in
 * the other direction, so no kind needs an undo of its own.
 *
 * @typedef {import("../result/segments.js").Segment} Segment
 * @typedef {object} Edit
 * @property {"accept"|"reject"|"relabel"|"split"|"merge"|"start"|"end"|"add"|"remove"|"load"} kind
 * @property {Segment[]} before Segments that the edit takes away.
 * @property {Segment[]} after Segments that the edit puts in their place.
 *
 * @typedef {object} History
 * @property {Edit[]} edits All edits, also those that were undone and can be redone.
 * @property {number} position Number of edits that are in force.
 * @property {number} saved Position that was saved last; -1 if it can no longer be reached.
 */

/** Shortest segment that an edit may leave, in seconds. */
export const SHORTEST_S = 0.001;

/** @returns {History} */
export const emptyHistory = () => ({ edits: [], position: 0, saved: 0 });

/** Returns the history with one more edit in force; undone edits are dropped. */
export function push(history, edit) {
  const saved = history.saved > history.position ? -1 : history.saved;
  const edits = [...history.edits.slice(0, history.position), edit];
  return { edits, position: edits.length, saved };
}

/** Returns the history with another number of edits in force. */
export function moveTo(history, position) {
  return { ...history, position: Math.min(Math.max(position, 0), history.edits.length) };
}

/** Returns the history whose present position counts as saved. */
export const markSaved = (history) => ({ ...history, saved: history.position });

/** Returns the edits that are in force. */
export const inForce = (history) => history.edits.slice(0, history.position);

/**
 * Returns the segments that edits leave: those found and not replaced, then the replacements.
 *
 * @param {Segment[]} found
 * @param {Edit[]} edits
 */
export function apply(found, edits) {
  const latest = new Map();
  for (const { before, after } of edits) {
    for (const one of before) latest.set(one.id, null);
    for (const one of after) latest.set(one.id, one);
  }
  const replaced = [...latest.values()].filter((one) => one !== null);
  return [...found.filter((one) => !latest.has(one.id)), ...replaced];
}

const isOwn = (segment) => segment.state === "added" || segment.state === "changed";
const once = (kind, segment, changes) => ({
  kind,
  before: [segment],
  after: [{ ...segment, ...changes }],
});

/** Returns the edit that accepts a segment; null where somebody has already checked it. */
export function accept(segment) {
  if (segment.state === "accepted" || isOwn(segment)) return null;
  return once("accept", segment, { state: "accepted" });
}

/** Returns the edit that rejects a segment; an added one is removed. */
export function reject(segment) {
  if (segment.state === "rejected") return null;
  if (segment.state === "added") return remove(segment);
  return once("reject", segment, { state: "rejected" });
}

/** Returns the edit that removes a segment that somebody added; null for any other. */
export function remove(segment) {
  return segment.state === "added" ? { kind: "remove", before: [segment], after: [] } : null;
}

const changed = (segment) => (segment.state === "added" ? "added" : "changed");

/** Returns the edit that gives a segment another class. */
export function relabel(segment, label) {
  if (segment.label === label) return null;
  return once("relabel", segment, { label, state: changed(segment) });
}

/**
 * Returns the edit that moves an edge, as far as the video and the other edge allow.
 *
 * @param {Segment} segment
 * @param {"start"|"end"} edge
 * @param {number} timeS
 * @param {number} durationS Length of the video.
 */
export function moveEdge(segment, edge, timeS, durationS) {
  const field = edge === "start" ? "startS" : "endS";
  const [least, most] =
    edge === "start" ? [0, segment.endS - SHORTEST_S] : [segment.startS + SHORTEST_S, durationS];
  const moved = Math.min(Math.max(timeS, least), most);
  if (moved === segment[field] || !(least <= most)) return null;
  return once(edge, segment, { [field]: moved, state: changed(segment) });
}

/** Returns the edit that splits a segment at a time within it; null elsewhere. */
export function split(segment, timeS, id) {
  if (timeS < segment.startS + SHORTEST_S || timeS > segment.endS - SHORTEST_S) return null;
  const state = changed(segment);
  const parts = [
    { ...segment, id: `${id}-1`, endS: timeS, state },
    { ...segment, id: `${id}-2`, startS: timeS, state },
  ];
  return { kind: "split", before: [segment], after: parts };
}

/** Returns the edit that joins a segment with the next one of its class; null without one. */
export function merge(segment, segments, id) {
  const next = segments
    .filter((one) => one.label === segment.label && one.id !== segment.id)
    .filter((one) => one.state !== "rejected" && one.startS >= segment.startS)
    .sort((a, b) => a.startS - b.startS)[0];
  if (!next) return null;
  const joined = {
    ...segment,
    id,
    endS: Math.max(segment.endS, next.endS),
    score: Math.max(segment.score, next.score),
    state: "changed",
  };
  return { kind: "merge", before: [segment, next], after: [joined] };
}

/** Returns the edit that adds a segment between two times, whatever their order. */
export function add(label, oneS, otherS, id) {
  const [startS, endS] = [Math.min(oneS, otherS), Math.max(oneS, otherS)];
  if (endS - startS < SHORTEST_S) return null;
  const segment = { id, label, startS, endS, score: 1, state: "added", source: "A" };
  return { kind: "add", before: [], after: [segment] };
}

/**
 * Returns the changes to show: successive moves of the same edge are one.
 *
 * @param {Edit[]} edits
 * @returns {{kind: string, segment: Segment, byS: number, position: number}[]} `position` is the
 *   number of edits in force after the change.
 */
export function changes(edits) {
  const rows = [];
  edits.forEach(({ kind, before, after }, index) => {
    const segment = after[0] ?? before[0];
    const byS =
      kind === "start"
        ? segment.startS - before[0].startS
        : kind === "end"
          ? segment.endS - before[0].endS
          : 0;
    const last = rows.at(-1);
    const goesOn = last && last.kind === kind && byS !== 0 && last.segment.id === segment.id;
    if (goesOn) Object.assign(last, { segment, byS: last.byS + byS, position: index + 1 });
    else rows.push({ kind, segment, byS, position: index + 1 });
  });
  return rows;
}

/** Returns the number of changes that are not saved. */
export function unsaved(history) {
  const { edits, position, saved } = history;
  if (saved < 0) return Math.max(1, changes(edits.slice(0, position)).length);
  const [first, last] = [Math.min(saved, position), Math.max(saved, position)];
  return changes(edits.slice(first, last)).length;
}
