/**
 * The lanes for people who do not see the canvas: each segment in view is a button over its
 * drawing, and all of them are one Tab stop.
 */

import { el, fill } from "../../parts/elements.js";
import { score, spokenClock } from "../../parts/format.js";
import { extent } from "./painting.js";

/** Buttons of a lane at most: those around the middle of the view, or around the focus. */
const MOST_BUTTONS = 40;

export class LaneAccess {
  #focusedId = null;

  /**
   * @param {import("../../result/session.js").Session} session
   * @param {{show: (segment: object) => void}} timeline brings a segment into view at once
   */
  constructor(session, timeline) {
    this.session = session;
    this.timeline = timeline;
  }

  /**
   * Makes the buttons of what is in view. Costs layout: called when the view rests.
   * @param {import("./lane_model.js").LaneModel} model
   * @param {import("../scale.js").Scale} scale
   * @param {Map<string, HTMLElement>} places by label
   */
  update(model, scale, places) {
    const hadFocus = document.activeElement?.closest?.(".lane-buttons") !== null
      && document.activeElement?.dataset?.segment !== undefined;
    Object.assign(this, { model, scale });
    const shown = model.lanes.map((lane) => [lane, this.#inView(lane)]);
    const stop = this.#tabStop(shown.flatMap(([, segments]) => segments));
    for (const [lane, segments] of shown) {
      const buttons = segments.map((segment) => this.#button(lane, segment, segment === stop));
      fill(places.get(lane.label), buttons);
    }
    if (hadFocus) this.#focus(stop);
  }

  #inView(lane) {
    const index = lane.sources.A;
    const segments = index.inView(this.scale);
    if (segments.length <= MOST_BUTTONS) return segments;
    const wanted = this.#focusedId ?? this.session.selectedId;
    const at = segments.findIndex(({ id }) => id === wanted);
    const middle = at < 0 ? segments.length >> 1 : at;
    const first = Math.min(Math.max(middle - MOST_BUTTONS / 2, 0), segments.length - MOST_BUTTONS);
    return segments.slice(first, first + MOST_BUTTONS);
  }

  #tabStop(segments) {
    const known = (id) => id !== null && segments.find((one) => one.id === id);
    return known(this.#focusedId) || known(this.session.selectedId) || segments[0];
  }

  #button(lane, segment, isStop) {
    const index = lane.sources.A;
    const [top, height] = this.model.place(lane, "A", index.places[index.segments.indexOf(segment)]);
    const { x, width } = extent(this.scale, segment);
    const [left, right] = [Math.max(x, 0), Math.min(x + width, this.scale.width)];
    const node = el("button", {
      type: "button",
      class: "lane-segment",
      tabIndex: isStop ? 0 : -1,
      ariaLabel: spoken(segment),
      dataset: { segment: segment.id },
      onclick: (event) => event.detail === 0 && this.session.playSegment(segment.id),
      onfocus: () => { this.#focusedId = segment.id; },
      onblur: () => { this.#focusedId = null; },
      onkeydown: (event) => this.#move(event, lane, segment),
    });
    Object.assign(node.style, {
      left: `${left}px`, width: `${Math.max(right - left, 1)}px`,
      top: `${top - lane.top}px`, height: `${height}px`,
    });
    return node;
  }

  /** Arrow keys go through the lane, and to the lane above or below. */
  #move(event, lane, segment) {
    const next = this.#neighbour(event.key, lane, segment);
    if (next === undefined || event.ctrlKey || event.altKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    event.stopPropagation();
    if (!next) return;
    this.session.select(next.id, { seek: true });
    this.#focusedId = next.id;
    this.timeline.show(next);
    this.#focus(next);
  }

  /** @returns the segment that a key leads to; null at an end, undefined for other keys */
  #neighbour(key, lane, segment) {
    const { segments } = lane.sources.A;
    const at = segments.indexOf(segment);
    const along = { ArrowLeft: -1, ArrowRight: 1 }[key];
    if (along) return segments[at + along] ?? null;
    const across = { ArrowUp: -1, ArrowDown: 1 }[key];
    if (!across) return undefined;
    return nearest(this.model.lanes, this.model.lanes.indexOf(lane), across, segment.startS);
  }

  #focus(segment) {
    if (!segment) return;
    const selector = `[data-segment="${CSS.escape(segment.id)}"]`;
    this.timeline.root.querySelector(selector)?.focus({ preventScroll: true });
  }
}

/**
 * @param {import("./lane_model.js").Lane[]} lanes
 * @param {number} from index of a lane @param {1 | -1} step
 * @returns {object | null} the segment nearest in time in the next lane that has one
 */
export function nearest(lanes, from, step, timeS) {
  for (let i = from + step; lanes[i]; i += step) {
    const { segments } = lanes[i].sources.A;
    const far = (one) => Math.abs(one.startS - timeS);
    if (segments.length) return segments.reduce((a, b) => (far(b) < far(a) ? b : a));
  }
  return null;
}

/** @returns {string} "Snatch, 1 minute 37.3 to 1 minute 42.4, score 0.81, accepted" */
export function spoken({ label, startS, endS, score: value, state }) {
  const parts = [label, `${spokenClock(startS)} to ${spokenClock(endS)}`];
  if (state !== "added") parts.push(`score ${score(value)}`);
  if (state !== "found") parts.push(state);
  return parts.join(", ");
}
