/**
 * State of one opened video. Player, time line and panels never talk to each other: each changes the
 * session by a method, and listens to its events.
 *
 * Times are seconds from the start of the video, with full precision; only the edge formats them.
 *
 * Events, each a CustomEvent:
 *   segments    `segments`, `segmentsB` or `found` changed
 *   selection   `selectedId` changed
 *   lanes       `lanes`, `pinned` or `hidden` changed
 *   view        `view` changed
 *   time, playing  see playhead.js
 *   mode        `correcting` or `addStartS` or `stepKind` changed
 *   activation  `activation` or `activationB` changed
 *   truth       `truth` changed
 *   compare     `modelB` changed
 *   options     `options` changed
 *   history     corrections or what is saved of them changed
 *   video       `videoUrl` or `canPlay` changed
 *
 * @typedef {import("./segments.js").Segment} Segment
 * @typedef {import("./correct/edits.js").Edit} Edit
 * @typedef {{name: string, version: number}} Model
 * @typedef {{label: string, score: number, color: string, shape: string}} ClassOfVideo `color` is
 *   the name of a custom property, for instance `--class-3`.
 * @typedef {object} Activation
 * @property {number} snippets Number T of snippets.
 * @property {number} classes Number C of classes, in the order of `session.labels`.
 * @property {Float32Array} values The sequence (T, C), row by row.
 * @property {number} snippetS Seconds from one snippet to the next.
 * @property {number} firstS Time of the centre of the first snippet.
 * @typedef {object} Options
 * @property {number} classThreshold Classes with a lower score are not localized.
 * @property {number} minScore Segments with a lower score are not shown.
 * @property {number|null} nmsIou tIoU of greedy NMS; null for the suppression of the model.
 * @property {number|null} maxSegments Largest number of segments; null for all.
 */

import { ClassColors } from "./class_colors.js";
import * as edits from "./correct/edits.js";
import { chooseLanes } from "./panels/lane_choice.js";
import { Playhead } from "./playhead.js";
import { START_SCORE, fromResults, neighbour, runningAt, strongEnough } from "./segments.js";

export class Session extends Playhead {
  #history = edits.emptyHistory();
  #foundB = [];
  #dragged = null;
  #colors;

  /**
   * @param {object} facts
   * @param {object|null} facts.job Job of the service; null for features alone.
   * @param {string} facts.name File name of the video, or of the features.
   * @param {Model} facts.model
   * @param {number} facts.durationS
   * @param {number|null} facts.frameRate Frames a second; null where unknown.
   * @param {string[]} facts.labels Classes in the order of the model.
   * @param {object} facts.result Response of the localization.
   * @param {{classThreshold: number, nmsIou: number, minScore: number|null,
   *   maxSegments: number|null}} facts.defaults Options of the model.
   * @param {string|null} facts.videoUrl Address of the video; null where there is none.
   * @param {boolean} facts.canPlay Whether the browser can play it.
   */
  constructor({
    job,
    name,
    model,
    durationS,
    frameRate,
    labels,
    result,
    defaults,
    videoUrl = null,
    canPlay = false,
  }) {
    super({ durationS, frameRate });
    Object.assign(this, { job, name, model, labels, defaults, videoUrl, canPlay });
    this.snippetS = result.duration_s / Math.max(1, result.snippets);
    /** @type {Options} */
    this.options = { ...this.startOptions };
    this.#colors = new ClassColors(labels);
    this.activation = this.activationB = null;
    /** Id of the kept activation; null where the service no longer has it. */
    this.activationId = this.activationIdB = null;
    this.modelB = null;
    /** @type {{name: string, segments: Segment[]}|null} */
    this.truth = null;
    Object.assign(this, { pinned: [], hidden: new Set(), lanes: [], segmentsB: [] });
    Object.assign(this, { selectedId: null, correcting: false, addStartS: null });
    /** Step of an edge: by a frame or by a snippet. */
    this.stepKind = "frame";
    this.view = { startS: 0, endS: durationS };
    this.setFound(result);
  }

  // What was found, and what the sliders and the corrections leave of it.

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

  #show() {
    const kept = strongEnough(this.found, this.options);
    const moving = this.#dragged ? [this.#dragged] : [];
    this.segments = edits.apply(kept, [...edits.inForce(this.#history), ...moving]);
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
    const corrected = edits.inForce(this.#history).flatMap((one) => one.after);
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

  // Selection and view.

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

  /** Shows a span of the time line, within the video and at least five frames long. */
  setView(startS, endS) {
    if (!Number.isFinite(endS - startS)) return; // nothing can be drawn at no time
    const least = Math.min(this.durationS, 5 * this.frameS);
    const length = Math.min(Math.max(endS - startS, least), this.durationS);
    const first = Math.min(Math.max(startS, 0), this.durationS - length);
    this.view = { startS: first, endS: first + length };
    this.tell("view");
  }

  /** Plays a segment from its start and stops, or loops, at its end. */
  playSegment(id) {
    const segment = this.segment(id);
    if (!segment) return;
    this.select(id);
    this.playSpan(segment.startS, segment.endS);
  }

  /** Turns looping on or off; the selected segment loops where it is playing. */
  setLooping(looping) {
    const { selected, timeS } = this;
    const isInside = selected && selected.startS <= timeS && timeS < selected.endS;
    if (looping && isInside) this.limitTo(selected.startS, selected.endS);
    super.setLooping(looping);
  }

  /** Takes a video for features that came without one, or another address of the same video. */
  setVideo({ videoUrl, canPlay, frameRate }) {
    Object.assign(this, { videoUrl, canPlay, frameRate: frameRate ?? this.frameRate });
    this.tell("video");
  }

  // Sequences, truth and the second result.

  setActivation(activation, source = "A") {
    this[source === "A" ? "activation" : "activationB"] = activation;
    this.tell("activation");
  }

  /** Takes the id under which the service keeps the activation; null where it is gone. */
  setActivationId(id, source = "A") {
    this[source === "A" ? "activationId" : "activationIdB"] = id;
    this.tell("options");
  }

  setTruth(truth) {
    this.truth = truth;
    this.#chooseLanes();
    this.tell("truth");
  }

  /** Compares with another result; null ends that. */
  compareWith(modelB, result = null) {
    this.modelB = modelB;
    if (!modelB) Object.assign(this, { activationB: null, activationIdB: null });
    this.setFound(result ?? { segments: [] }, "B");
    this.tell("compare");
  }

  // Corrections.

  /** Corrections with what was undone; changed by `edit`, `goTo` and `restore` only. */
  get history() {
    return this.#history;
  }

  setCorrecting(correcting) {
    Object.assign(this, { correcting, addStartS: null });
    if (correcting && !this.selected) this.select(this.running?.id ?? null);
    this.tell("mode");
  }

  setStepKind(stepKind) {
    this.stepKind = stepKind;
    this.tell("mode");
  }

  /** Remembers the first of the two key presses that add a segment; null forgets it. */
  setAddStart(timeS) {
    this.addStartS = timeS;
    this.tell("mode");
  }

  /** Step of an edge in seconds: a frame or a snippet. */
  get stepS() {
    return this.stepKind === "frame" ? this.frameS : this.snippetS;
  }

  /**
   * Moves an edge of a segment. While somebody drags, `final` is false: the segment follows, and
   * only the end of the drag is an edit that can be undone.
   *
   * @param {string} id
   * @param {"start"|"end"} edge
   * @param {number} timeS
   */
  moveEdge(id, edge, timeS, { final = true } = {}) {
    this.#dragged = null;
    const segment = edits
      .apply(this.found, edits.inForce(this.#history))
      .find((one) => one.id === id);
    const move = segment ? edits.moveEdge(segment, edge, timeS, this.durationS) : null;
    if (final && move) return this.edit(move);
    this.#dragged = move;
    return this.#show();
  }

  /** A name for a segment that does not exist yet. */
  get newId() {
    return `own-${this.#history.position}`;
  }

  /**
   * Puts an edit in force and selects what it leaves. Null, an edit that changes nothing, is ignored.
   *
   * @param {Edit|null} edit
   */
  edit(edit) {
    if (!edit) return false;
    const own = this.selectedId === null || edit.before.some((one) => one.id === this.selectedId);
    this.#setHistory(edits.push(this.#history, edit));
    if (own || !edit.before.length) this.select(edit.after[0]?.id ?? null);
    return true;
  }

  undo() {
    this.goTo(this.#history.position - 1);
  }

  redo() {
    this.goTo(this.#history.position + 1);
  }

  /** Undoes or redoes until so many edits are in force. */
  goTo(position) {
    const from = this.#history.position;
    this.#setHistory(edits.moveTo(this.#history, position));
    const to = this.#history.position;
    const edge = this.#history.edits[Math.min(from, to)];
    const shown = (to < from ? edge?.before : edge?.after)?.find((one) => this.segment(one.id));
    if (from !== to && shown && !this.selected) this.select(shown.id);
  }

  markSaved() {
    this.#setHistory(edits.markSaved(this.#history));
  }

  /** Takes corrections that were kept in the browser. */
  restore(history) {
    this.#setHistory(history);
  }

  #setHistory(history) {
    this.#history = history;
    this.#show();
    this.tell("history");
  }
}
