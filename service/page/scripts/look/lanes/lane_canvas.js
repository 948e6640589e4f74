/** The canvas of the lanes: segments, truth and curves of what is in view. */

import { Surface } from "../surface.js";
import {
  extent, paintCurve, paintDense, paintLevel, paintSegment, paintTruth,
} from "./painting.js";

/** Level of the dotted line. */
export const LEVEL = 0.5;

/**
 * @typedef {object} Marks
 * @property {string | null} selectedId
 * @property {string | null} runningId
 * @property {string | null} hoveredId
 * @property {string | null} heldId segment that has handles
 * @property {number[]} ticks times of the lines of the grid
 * @property {[number, number]} rows top and bottom pixel of what is scrolled into view
 */

export class LaneCanvas extends Surface {
  /**
   * Draws all lanes that are scrolled into view.
   * @param {import("./lane_model.js").LaneModel} model
   * @param {import("../scale.js").Scale} scale
   * @param {Marks} marks
   * @param {object} inks
   */
  paint(model, scale, marks, inks) {
    this.clear();
    this.#grid(scale, marks, inks);
    const [from, to] = marks.rows;
    for (const lane of model.lanes) {
      if (lane.top + model.layout.height < from || lane.top > to) continue;
      const look = { color: inks.class(lane.color), inks, over: model.layout.over };
      this.#curves(model, lane, scale, marks, look);
      for (const source of Object.keys(lane.sources)) {
        if (source === "truth") this.#truth(model, lane, scale, look);
        else this.#segments(model, lane, source, scale, marks, look);
      }
    }
  }

  #grid(scale, { ticks }, inks) {
    this.context.fillStyle = inks.line;
    this.context.globalAlpha = 0.7;
    for (const timeS of ticks) this.context.fillRect(Math.round(scale.x(timeS)), 0, 1, this.height);
    this.context.globalAlpha = 1;
  }

  #curves(model, lane, scale, marks, { color, inks }) {
    const band = [lane.top + model.layout.curve[0], model.layout.curve[1]];
    const curve = model.curve(lane);
    if (!curve) return;
    const look = { color, filled: true, dashed: false };
    paintCurve(this.context, curve.inView(scale), band, look);
    const other = model.curve(lane, "B");
    const grey = { color: inks.ink2, filled: false, dashed: true };
    if (other) paintCurve(this.context, other.inView(scale), band, grey);
    this.#levels(lane, curve, scale, marks, band, inks);
  }

  /** The dotted line; within the selected segment, the level of its edges. */
  #levels(lane, curve, scale, { selected }, band, inks) {
    const line = (level, from, to, ink) => {
      const [left, right] = [Math.max(from, 0), Math.min(to, this.width)];
      if (right > left) paintLevel(this.context, level, left, right, band, ink);
    };
    if (selected?.label !== lane.label) return line(LEVEL, 0, this.width, inks.field);
    const [start, end] = [scale.x(selected.startS), scale.x(selected.endS)];
    line(LEVEL, 0, start, inks.field);
    line((curve.at(selected.startS) + curve.at(selected.endS)) / 2, start, end, inks.ink);
    return line(LEVEL, end, this.width, inks.field);
  }

  #segments(model, lane, source, scale, marks, look) {
    const index = lane.sources[source];
    const isStrong = ({ id }) => id === marks.selectedId || id === marks.runningId;
    const [from, to] = index.range(scale.startS, scale.endS);
    const last = [];
    const dense = index.isDense(scale.pixelsPerS);
    if (dense) {
      const band = model.layout.bands[source];
      paintDense(this.context, index.highest(scale), [lane.top + band[0], band[1]], look);
    }
    for (let i = from; i < to; i += 1) {
      const segment = index.segments[i];
      if (segment.endS < scale.startS) continue;
      const hovered = segment.id === marks.hoveredId;
      if (isStrong(segment)) last.push(i);
      else if (!dense || hovered) this.#segment(model, lane, source, i, scale, { ...look, hovered });
    }
    for (const i of last) {
      const held = marks.heldId === index.segments[i].id;
      this.#segment(model, lane, source, i, scale, { ...look, strong: true, held });
    }
  }

  #segment(model, lane, source, i, scale, look) {
    const index = lane.sources[source];
    const [y, height] = model.place(lane, source, index.places[i]);
    const box = { ...extent(scale, index.segments[i]), y, height };
    paintSegment(this.context, box, index.segments[i], look);
  }

  #truth(model, lane, scale, { inks }) {
    const { segments, places, length } = lane.sources.truth;
    const [from, to] = length ? lane.sources.truth.range(scale.startS, scale.endS) : [0, 0];
    for (let i = from; i < to; i += 1) {
      const [y, height] = model.place(lane, "truth", places[i]);
      const box = { ...extent(scale, segments[i]), y, height };
      const missed = model.missed.get(segments[i]);
      paintTruth(this.context, box, missed, { inks, room: this.width });
    }
  }
}
