/** What the lanes show of a session, prepared so that a frame reads only what is in view. */

import { missedBy } from "../../compare/differences.js";
import { LaneIndex } from "./lane_index.js";
import { laneLayout, rowPlace } from "./lane_layout.js";
import { Curve } from "./pyramid.js";

/** Pixels beside a segment that still hit it. */
const TOLERANCE = 3;

/** @type {WeakMap<object, Map<number, Curve>>} by activation and column */
const curves = new WeakMap();

/** @returns {Curve} one class of an activation; made once */
function curveOf(activation, column) {
  const columns = curves.get(activation) ?? curves.set(activation, new Map()).get(activation);
  return columns.get(column) ?? columns.set(column, new Curve(activation, column)).get(column);
}

/**
 * @typedef {object} Lane
 * @property {string} label
 * @property {number} top pixel of its upper edge
 * @property {string} color custom property
 * @property {string} shape of its swatch
 * @property {{A: LaneIndex, B?: LaneIndex, truth?: LaneIndex}} sources
 */

export class LaneModel {
  /** @param {import("../../result/session.js").Session} session @param {{narrow: boolean}} screen */
  constructor(session, { narrow }) {
    this.session = session;
    this.compared = session.modelB !== null;
    const hasTruth = session.truth !== null;
    const { compared } = this;
    this.layout = laneLayout({ lanes: session.lanes.length, compared, truth: hasTruth, narrow });
    const [a, b] = [byLabel(session.segments), byLabel(session.segmentsB)];
    const truth = byLabel(session.truth?.segments ?? []);
    const indexOf = (segments, label) => new LaneIndex(segments.get(label) ?? []);
    /** @type {Lane[]} */
    this.lanes = session.lanes.map((label, place) => ({
      label,
      top: place * this.layout.height,
      ...session.colorOf(label),
      sources: {
        A: indexOf(a, label),
        ...(compared && { B: indexOf(b, label) }),
        ...(hasTruth && { truth: indexOf(truth, label) }),
      },
    }));
    this.height = this.lanes.length * this.layout.height;
    this.missed = hasTruth ? this.#missed(truth, a, b) : new Map();
  }

  /** @returns {Map<object, string>} the note beside each true segment: "missed by A and B", or "" */
  #missed(truth, segmentsA, segmentsB) {
    const notes = new Map();
    for (const [label, instances] of truth) {
      const found = (segmentsA.get(label) ?? []).filter(({ state }) => state !== "rejected");
      const others = this.compared ? segmentsB.get(label) ?? [] : null;
      for (const one of instances) notes.set(one, noteOf(missedBy(one, found, others), this.compared));
    }
    return notes;
  }

  /** @returns {Curve | null} the curve of a lane; null where there is none */
  curve(lane, source = "A") {
    const activation = source === "A" ? this.session.activation : this.session.activationB;
    const column = this.session.labels.indexOf(lane.label);
    return activation && column >= 0 ? curveOf(activation, column) : null;
  }

  /** @returns {Lane | null} the lane at a pixel from the top of the lanes */
  laneAt(y) {
    return y < 0 ? null : this.lanes[Math.floor(y / this.layout.height)] ?? null;
  }

  /** @returns {Lane | undefined} the lane of a label */
  lane(label) {
    return this.lanes.find((one) => one.label === label);
  }

  /** @returns {[number, number]} top and height of a row, from the top of the lanes */
  place(lane, source, { row, rows }) {
    const [top, height] = rowPlace(this.layout.bands[source], row, rows);
    return [lane.top + top, height];
  }

  /**
   * @returns {{lane: Lane, source: string, segment: object} | null} the segment at a pixel; of
   *   several the one whose row is hit, the best first
   */
  hit(scale, x, y) {
    const lane = this.laneAt(y);
    if (!lane) return null;
    for (const [source, index] of Object.entries(lane.sources)) {
      const near = index.at(scale.time(x), TOLERANCE / scale.pixelsPerS).filter((one) => {
        const [top, height] = this.place(lane, source, one);
        return y >= top - 1 && y <= top + height + 1;
      });
      const best = near.sort((a, b) => (b.segment.score ?? 1) - (a.segment.score ?? 1))[0];
      if (best) return { lane, source, segment: best.segment };
    }
    return null;
  }
}

function noteOf(names, isCompared) {
  if (!names.length) return "";
  return isCompared ? `missed by ${names.join(" and ")}` : "missed";
}

/** @returns {Map<string, object[]>} segments by label */
function byLabel(segments) {
  const groups = new Map();
  for (const segment of segments) {
    const group = groups.get(segment.label);
    if (group) group.push(segment);
    else groups.set(segment.label, [segment]);
  }
  return groups;
}
