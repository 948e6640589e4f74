/**
 * What was found in a video, and what options, lanes and edits leave of it; the selected segment.
 *
 * Events: `segments`, `selection`, `lanes`, `options` and `truth`; see session.js.
 *
 * @typedef {import("./segments.js").Segment} Segment
 * @typedef {import("../correct/edits.js").Edit} Edit
 * @typedef {{label: string, score: number, color: string, shape: string}} ClassOfVideo `color` is
 *   the name of a custom property, for instance `--class-3`.
 * @typedef {object} Options
 * @property {number} classThreshold Classes with a lower score are not localized.
 * @property {number} minScore Segments with a lower score are not shown.
 * @property {number|null} nmsIou tIoU of greedy NMS; null for the suppression of the model.
 * @property {number|null} maxSegments Largest number of segments; null for all.
 */

import { ClassColors } from "../parts/class_colors.js";
import { apply } from "../correct/edits.js";
import { chooseLanes } from "../panels/lane_choice.js";
import { Playhead } from "./playhead.js";
import { START_SCORE, fromResults, neighbour, runningAt, strongEnough } from "./segments.js";

export class Findings extends Playhead {
  /** @type {Edit[]} */
  #edits = [];
  #foundB = [];
  #colors;

  /**
   * @param {object} facts
   * @param {number} facts.durationS
   * @param {number|null} facts.frameRate Frames a second; null where unknown.
   * @param {string[]} facts.labels Classes in the order of the model.
   * @param {object} facts.result Response of the localization.
   * @param {{classThreshold: number, nmsIou: number, minScore: number|null,
   *   maxSegments: number|null}} facts.defaults Options of the model.
   */
  constructor({ durationS, frameRate, labels, result, defaults }) {
    super({ durationS, frameRate });
    Object.assign(this, { labels, defaults });
    /** @type {Options} */
    this.options = { ...this.startOptions };
    this.#colors = new ClassColors(labels);
    /** @type {{name: string, subset: string|null, segments: Segment[]}|null} */
    this.truth = null;
    Object.assign(this, { pinned: [], hidden: new Set(), lanes: [], segmentsB: [] });
    this.selectedId = null;
    this.setFound(result);
  }

  /** Options at the start: the model's own, with segments of at least 0.20. */
  get startOptions() {
    const { classThreshold, minScore, maxSegments } = this.defaults;
    return {
      classThreshold,
      maxSegments,
      nmsIou: null,
      minScore: Math.max(START_SCORE, minScore ?? 0),
    };
  }

  /** Takes a response of the localization for result A, or B. */
  setFound(result, source = "A") {
    const found = fromResults(result.segments, source);
    if (source === "B") {
      this.#foundB = found;
    } else {
      /** All segments that the service found; the sliders leave some of them. */
      this.found = found;
      this.classes = result.classes.map((one) => ({ ...one, ...this.#colors.of(one.label) }));
    }
    this.#show();
  }

  /** Changes some of the options; who asks the service again listens to `options`. */
  setOptions(changes) {
    this.options = { ...this.options, ...changes };
    this.tell("options");
    this.#show();
  }

  /** Puts these edits in force, in place of all others. */
  setEdits(edits) {
    this.#edits = edits;
    this.#show();
  }

  #show() {
    const kept = strongEnough(this.found, this.options);
    this.segments = apply(kept, this.#edits);
    this.segmentsB = strongEnough(this.#foundB, this.options);
    this.#chooseLanes();
    this.tell("segments");
    if (this.selectedId !== null && !this.selected) this.select(null);
  }

  /** Returns colour and shape of any label, also of one that the model does not have. */
  colorOf(label) {
    return this.#colors.of(label);
  }

  segment(id) {
    const same = (one) => one.id === id;
    return this.segments.find(same) ?? this.segmentsB.find(same) ?? null;
  }

  /** The selected segment, or null. */
  get selected() {
    return this.selectedId === null ? null : this.segment(this.selectedId);
  }

  /** The segment at the playhead, or null. */
  get running() {
    return runningAt(this.segments, this.timeS);
  }

  // Lanes.

  #chooseLanes() {
    const corrected = this.#edits.flatMap((one) => one.after);
    const marked = [...corrected, ...(this.truth?.segments ?? [])].map((one) => one.label);
    const { classes, pinned, hidden } = this;
    const before = this.lanes.join("\n");
    const threshold = this.options.classThreshold;
    this.lanes = chooseLanes({ classes, threshold, pinned, hidden, marked });
    if (this.lanes.join("\n") !== before) this.tell("lanes");
  }

  /** Shows a class below the others of its own accord, or hides it. */
  showLane(label, shown) {
    this.hidden = new Set(this.hidden);
    if (shown) this.hidden.delete(label);
    else this.hidden.add(label);
    this.pinned = this.pinned.filter((one) => shown || one !== label);
    this.#chooseLanes();
    if (shown && !this.lanes.includes(label)) this.pinLane(label, true);
    else this.tell("lanes");
  }

  /** Keeps the lane of a class at the top, whatever its score. */
  pinLane(label, pinned) {
    const others = this.pinned.filter((one) => one !== label);
    this.pinned = pinned ? [...others, label] : others;
    if (pinned) this.hidden = new Set([...this.hidden].filter((one) => one !== label));
    this.#chooseLanes();
    this.tell("lanes");
  }

  // Selection.

  /** Selects a segment; null selects none. */
  select(id, { seek = false } = {}) {
    const changed = this.selectedId !== id;
    this.selectedId = id;
    if (changed) this.tell("selection");
    if (seek && this.selected) this.seek(this.selected.startS);
  }

  /** Selects the next segment in time (step 1) or the one before (step -1), and goes there. */
  nextSegment(step = 1) {
    const { segments, selectedId, timeS } = this;
    const next = neighbour(segments, { selectedId, timeS, step });
    if (next) this.select(next.id, { seek: true });
    return next;
  }

  /** Selects the next segment that nobody has checked, from the selected one on, else the first. */
  nextUnchecked() {
    const open = this.segments.filter((one) => one.state === "found" || one.id === this.selectedId);
    const { selectedId, timeS } = this;
    const isOpen = (one) => one && one.state === "found" && one.id !== selectedId;
    let next = neighbour(open, { selectedId, timeS, step: 1 });
    if (!isOpen(next)) next = neighbour(open, { selectedId: null, timeS: -1, step: 1 });
    if (isOpen(next)) this.select(next.id, { seek: true });
    return isOpen(next) ? next : null;
  }

  // Ground truth.

  setTruth(truth) {
    this.truth = truth;
    this.#chooseLanes();
    this.tell("truth");
  }
}
