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
 * @typedef {import("../correct/edits.js").Edit} Edit
 * @typedef {{name: string, version: number}} Model
 * @typedef {object} Activation
 * @property {number} snippets Number T of snippets.
 * @property {number} classes Number C of classes, in the order of `session.labels`.
 * @property {Float32Array} values The sequence (T, C), row by row.
 * @property {number} snippetS Seconds from one snippet to the next.
 * @property {number} firstS Time of the centre of the first snippet.
 */

import * as edits from "../correct/edits.js";
import { Findings } from "./findings.js";

export class Session extends Findings {
  #history = edits.emptyHistory();
  #dragged = null;

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
    super({ durationS, frameRate, labels, result, defaults });
    Object.assign(this, { job, name, model, videoUrl, canPlay });
    this.snippetS = result.duration_s / Math.max(1, result.snippets);
    this.activation = this.activationB = null;
    /** Id of the kept activation; null where the service no longer has it. */
    this.activationId = this.activationIdB = null;
    this.modelB = null;
    Object.assign(this, { correcting: false, addStartS: null });
    /** Step of an edge: by a frame or by a snippet. */
    this.stepKind = "frame";
    this.view = { startS: 0, endS: durationS };
  }

  // View and player.

  /** Shows a span of the time line, within the video and at least five frames long. */
  setView(startS, endS) {
    if (!Number.isFinite(endS - startS)) return; // nothing can be drawn at no time
    const least = Math.min(this.durationS, 5 * this.frameS);
    const length = Math.min(Math.max(endS - startS, least), this.durationS);
    const first = Math.min(Math.max(startS, 0), this.durationS - length);
    this.view = { startS: first, endS: first + length };
    this.tell("view");
  }

  /** Whether the browser can play the video. */
  get isPlayable() {
    return Boolean(this.videoUrl) && this.canPlay;
  }

  /** Plays a span, and stops or loops at its end; only goes there where nothing can be played. */
  playSpan(startS, endS) {
    if (this.isPlayable) super.playSpan(startS, endS);
    else this.seek(startS);
  }

  /** Plays a segment from its start and stops, or loops, at its end. */
  playSegment(id) {
    const segment = this.segment(id);
    if (!segment) return;
    this.select(id);
    this.playSpan(segment.startS, segment.endS);
  }

  /**
   * Acts on a click on a segment, a true segment or a difference: plays it, and stops at its end.
   * While somebody corrects, it only goes to the start, because the playhead is then a tool.
   *
   * @param {{id?: string|null, startS: number, endS: number}} clicked
   */
  click({ id = null, startS, endS }) {
    if (this.segment(id)) this.select(id);
    if (this.correcting) this.seek(startS);
    else this.playSpan(startS, endS);
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

  // Sequences and the second result.

  setActivation(activation, source = "A") {
    this[source === "A" ? "activation" : "activationB"] = activation;
    this.tell("activation");
  }

  /** Takes the id under which the service keeps the activation; null where it is gone. */
  setActivationId(id, source = "A") {
    this[source === "A" ? "activationId" : "activationIdB"] = id;
    this.tell("options");
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
    return this.#putInForce();
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

  #putInForce() {
    const moving = this.#dragged ? [this.#dragged] : [];
    this.setEdits([...edits.inForce(this.#history), ...moving]);
  }

  #setHistory(history) {
    this.#history = history;
    this.#putInForce();
    this.tell("history");
  }
}
