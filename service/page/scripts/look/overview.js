/** The overview: the whole video in one bar, and a frame around the part in view. */

import { el } from "../parts/elements.js";
import { spokenClock } from "../parts/format.js";
import { onDrag } from "./drag.js";
import { extent } from "./lanes/painting.js";
import { LaneIndex } from "./lanes/lane_index.js";
import { Scale } from "./scale.js";
import { Surface } from "./surface.js";

const HEIGHT = 24;
/** Lanes that have a row of their own; more share one. */
const MOST_ROWS = 5;
/** Share of the view that an arrow key moves the frame or an end. */
const STEP = 0.1;
const FAINT = 0.42;

export class Overview {
  /**
   * @param {import("../result/session.js").Session} session
   * @param {{hold: (dragging: boolean) => void, setView: (view: object) => void}} timeline
   */
  constructor(session, timeline) {
    this.session = session;
    this.timeline = timeline;
    this.canvas = el("canvas", { ariaHidden: "true" });
    this.surface = new Surface(this.canvas);
    this.whole = new Surface(document.createElement("canvas"));
    this.head = el("div", { class: "overview-head", ariaHidden: "true" });
    this.frame = this.#slider("frame", "Part in view");
    this.start = this.#slider("end at-start", "Start of the view");
    this.end = this.#slider("end", "End of the view");
    this.node = el("div", { class: "overview" },
      this.canvas, this.head, this.frame, this.start, this.end);
    this.#listen();
  }

  #slider(kind, name) {
    const node = el("div", { class: `overview-${kind}`, role: "slider", tabIndex: 0,
      ariaLabel: name, title: `${name}: drag, or use the arrow keys` });
    node.setAttribute("aria-orientation", "horizontal");
    spoken(node, [0, this.session.durationS, 0], spokenClock(0)); // until it is drawn
    return node;
  }

  #listen() {
    const { session } = this;
    this.#drags(this.frame, (from, byS) => [from.startS + byS, from.endS + byS]);
    this.#drags(this.start, (from, byS) =>
      [Math.min(from.startS + byS, from.endS - this.leastS), from.endS]);
    this.#drags(this.end, (from, byS) =>
      [from.startS, Math.max(from.endS + byS, from.startS + this.leastS)]);
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0) return;
      const timeS = this.scale.time(event.offsetX);
      const halfS = (session.view.endS - session.view.startS) / 2;
      session.setView(timeS - halfS, timeS + halfS);
    });
  }

  get leastS() {
    return 5 * this.session.frameS;
  }

  /** Moves by pointer and by arrow keys; `moved` has the start and the end of the next view. */
  #drags(node, moved) {
    let from = null;
    const apply = (view, byS) => {
      const [startS, endS] = moved(view, byS);
      this.#setWithin(startS, endS, node === this.frame);
    };
    onDrag(node, {
      start: (event) => {
        from = { x: event.clientX, view: this.session.view };
        this.timeline.hold(true);
      },
      move: (event) => apply(from.view, (event.clientX - from.x) / this.scale.pixelsPerS),
      end: () => this.timeline.hold(false),
    });
    node.addEventListener("keydown", (event) => {
      const byS = this.#keyStep(event);
      if (byS === null) return;
      event.preventDefault();
      event.stopPropagation();
      apply(this.session.view, byS);
    });
  }

  #keyStep({ key, ctrlKey, altKey, metaKey }) {
    if (ctrlKey || altKey || metaKey) return null;
    const lengthS = this.session.view.endS - this.session.view.startS;
    const steps = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
    const pages = { PageDown: -1, PageUp: 1 };
    if (key in steps) return steps[key] * STEP * lengthS;
    if (key in pages) return pages[key] * lengthS;
    return { Home: -this.session.durationS, End: this.session.durationS }[key] ?? null;
  }

  /** An end stops at the end of the video; the whole frame keeps its length. */
  #setWithin(startS, endS, isWhole) {
    const { durationS } = this.session;
    if (isWhole) this.session.setView(startS, endS);
    else this.session.setView(Math.max(startS, 0), Math.min(endS, durationS));
  }

  resize(width) {
    this.surface.resize(width, HEIGHT);
    this.whole.resize(width, HEIGHT);
    this.scale = new Scale({ startS: 0, endS: this.session.durationS }, width);
  }

  /** Draws the whole video once; each frame only copies it. */
  draw(inks) {
    this.whole.clear();
    const { lanes, segments } = this.session;
    const kept = segments.filter(({ state }) => state !== "rejected");
    if (lanes.length > MOST_ROWS) this.#highest(kept.filter(({ label }) => lanes.includes(label)), inks);
    else lanes.forEach((label, row) => this.#row(kept, label, row, inks));
  }

  #row(segments, label, row, inks) {
    const step = (HEIGHT - 2) / Math.max(this.session.lanes.length, 3);
    this.whole.context.fillStyle = inks.class(this.session.colorOf(label).color);
    for (const segment of segments) {
      if (segment.label !== label) continue;
      const { x, width } = extent(this.scale, segment);
      this.whole.context.fillRect(x, 2 + row * step, width, Math.max(step - 2, 3));
    }
  }

  /** The class with the highest score at each pixel. */
  #highest(segments, inks) {
    const best = { scores: new Float32Array(Math.ceil(this.scale.width)), colors: [] };
    for (const label of this.session.lanes) {
      const own = new LaneIndex(segments.filter((one) => one.label === label)).highest(this.scale);
      own.forEach((score, x) => {
        if (score <= best.scores[x]) return;
        best.scores[x] = score;
        best.colors[x] = inks.class(this.session.colorOf(label).color);
      });
    }
    best.scores.forEach((score, x) => {
      if (score <= 0) return;
      const height = 4 + Math.min(score, 1) * (HEIGHT - 8);
      this.whole.context.fillStyle = best.colors[x];
      this.whole.context.fillRect(x, HEIGHT - 2 - height, 1, height);
    });
  }

  /** Shows the part in view: strong within the frame, faint outside. */
  paint(view, inks) {
    const { context, width } = this.surface;
    const [left, right] = [this.scale.x(view.startS), this.scale.x(view.endS)];
    const copy = () => context.drawImage(this.whole.canvas, 0, 0, width, HEIGHT);
    context.clearRect(0, 0, width, HEIGHT);
    context.globalAlpha = FAINT;
    copy();
    context.globalAlpha = 1;
    context.save();
    context.beginPath();
    context.rect(left, 0, right - left, HEIGHT);
    context.clip();
    context.fillStyle = inks.sunken;
    context.fillRect(left, 0, right - left, HEIGHT);
    copy();
    context.restore();
    this.frame.style.transform = `translateX(${left}px)`;
    this.frame.style.width = `${Math.max(right - left, 2)}px`;
    this.start.style.transform = `translateX(${left}px)`;
    this.end.style.transform = `translateX(${right}px)`;
  }

  paintHead(timeS) {
    this.head.style.transform = `translateX(${this.scale.x(timeS)}px)`;
  }

  /** Spoken values; called when the view rests. */
  describe({ startS, endS }) {
    const { durationS } = this.session;
    const range = `${spokenClock(startS)} to ${spokenClock(endS)}`;
    spoken(this.frame, [0, durationS - (endS - startS), startS], range);
    spoken(this.start, [0, endS, startS], spokenClock(startS));
    spoken(this.end, [startS, durationS, endS], spokenClock(endS));
  }
}

function spoken(node, [least, most, now], text) {
  node.setAttribute("aria-valuemin", least.toFixed(3));
  node.setAttribute("aria-valuemax", Math.max(most, least).toFixed(3));
  node.setAttribute("aria-valuenow", now.toFixed(3));
  node.setAttribute("aria-valuetext", text);
}
