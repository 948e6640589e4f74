/**
 * The time line: overview, ruler and lanes in step with the session.
 *
 * One animation frame draws what changed; nothing in it reads the layout. What is for screen readers
 * costs layout and follows when the view rests.
 */

import { el } from "../parts/elements.js";
import { clock } from "../parts/format.js";
import { themeChanges } from "../parts/theme.js";
import { inks } from "./inks.js";
import { Handles } from "./lanes/handles.js";
import { LaneAccess } from "./lanes/lane_access.js";
import { LaneCanvas } from "./lanes/lane_canvas.js";
import { LaneModel } from "./lanes/lane_model.js";
import { fillRows } from "./lanes/lane_rows.js";
import { listenToPointer } from "./lanes/pointing.js";
import { Tip } from "./lanes/tip.js";
import { Overview } from "./overview.js";
import { paintRuler, stepFor, ticks } from "./ruler.js";
import { around, fitted, Scale, zoomed } from "./scale.js";
import { Surface } from "./surface.js";
import { TimelineBar } from "./timeline_bar.js";
import { bindTimelineKeys } from "./timeline_keys.js";
import { Following, Glide } from "./view_motion.js";

const RULER_HEIGHT = 22;
const GUTTER = 184;
/** Margins of the track where the names are above the lanes. */
const NARROW_GUTTER = 12;
const RIGHT_MARGIN = 8;
/** Half of the widest chip of the playhead. */
const CHIP_HALF = 34;
/** The page is narrow below this width, in pixels. */
const NARROW = 760;
/** The view rests after so long without a change. */
const REST_MS = 150;

export class Timeline {
  #waits = 0;
  #rest = 0;
  #paintAll = false;
  #isStale = true;
  #rowsKey = "";
  /** Inks of the overview that is drawn; null where it has to be drawn again. */
  #drawn = null;

  /** @param {HTMLElement} root @param {import("../result/session.js").Session} session */
  constructor(root, session) {
    Object.assign(this, { root, session, hoveredId: null, runningId: null });
    this.timeAt = this.timeAt.bind(this);
    this.tip = new Tip();
    this.bar = new TimelineBar(session, this);
    this.toolbar = this.bar.toolbar;
    this.overview = new Overview(session, this);
    this.handles = new Handles(session, this);
    this.access = new LaneAccess(session, this);
    this.glide = new Glide(session);
    this.following = new Following(session);
    this.#build();
    this.#listen();
    this.#resize();
  }

  #build() {
    const canvas = el("canvas", { ariaHidden: "true" });
    const ruler = el("canvas", { class: "ruler", ariaHidden: "true" });
    const rows = el("div", { class: "lane-rows" });
    const track = el("div", { class: "track" }, this.handles.nodes);
    const lanes = el("div", { class: "lanes-all" }, canvas, rows, track);
    const scroller = el("div", { class: "lanes" }, lanes);
    this.chip = el("span", { class: "chip" });
    this.head = el("div", { class: "playhead", ariaHidden: "true" }, this.chip);
    const headTrack = el("div", { class: "playhead-track" }, this.head);
    const body = el("div", { class: "timeline-body" },
      el("div", { class: "overview-row" }, el("span", { class: "gutter-name" }, "Whole video"),
        this.overview.node),
      el("div", { class: "ruler-row" }, ruler), scroller, headTrack);
    this.nodes = { canvas, ruler, rows, lanes, scroller, body };
    this.lanes = new LaneCanvas(canvas);
    this.ruler = new Surface(ruler);
    this.root.classList.add("timeline");
    this.root.setAttribute("role", "region");
    this.root.setAttribute("aria-label", "Time line");
    this.root.replaceChildren(this.bar.node, body, this.bar.hints, this.tip.node);
  }

  #listen() {
    const { session } = this;
    const ends = [];
    const on = (target, types, does) => types.split(" ").forEach((type) => {
      target.addEventListener(type, does);
      ends.push(() => target.removeEventListener(type, does));
    });
    on(session, "segments lanes truth compare", () => this.#changed());
    on(session, "activation", () => this.#changed());
    on(session, "mode video", () => { this.bar.update(); this.redraw(); });
    on(session, "selection view", () => this.redraw());
    on(session, "time", ({ detail }) => this.#moved(detail.seek));
    on(themeChanges, "change", () => { this.#drawn = null; this.redraw(); });
    on(this.nodes.scroller, "scroll", () => { this.tip.hide(); this.redraw(); });
    const sizes = new ResizeObserver(() => this.#resize());
    sizes.observe(this.nodes.body);
    sizes.observe(this.nodes.scroller);
    ends.push(() => sizes.disconnect(), bindTimelineKeys(this));
    listenToPointer(this);
    this.destroy = () => {
      ends.forEach((end) => end());
      cancelAnimationFrame(this.#waits);
      clearTimeout(this.#rest);
    };
  }

  // Sizes and contents.

  #resize() {
    const { width } = this.root.getBoundingClientRect();
    const isNarrow = window.innerWidth < NARROW;
    this.gutter = isNarrow ? NARROW_GUTTER : GUTTER;
    this.width = Math.max(Math.floor(width - this.gutter - (isNarrow ? NARROW_GUTTER : RIGHT_MARGIN)), 50);
    this.root.classList.toggle("narrow", isNarrow);
    this.root.style.setProperty("--gutter", `${this.gutter}px`);
    this.root.style.setProperty("--track", `${this.width}px`);
    this.isNarrow = isNarrow;
    this.overview.resize(this.width);
    this.ruler.resize(this.width, RULER_HEIGHT);
    this.scrolledHeight = this.nodes.scroller.clientHeight;
    this.#changed();
  }

  /** Prepares the lanes again before the next frame is drawn. */
  #changed() {
    this.#isStale = true;
    this.redraw();
  }

  #prepare() {
    this.#isStale = false;
    this.model = new LaneModel(this.session, { narrow: this.isNarrow });
    this.lanes.resize(this.width, this.model.height);
    this.#drawn = null;
    this.bar.update();
    const key = rowsKey(this.model);
    if (key === this.#rowsKey) return;
    this.#rowsKey = key;
    this.root.classList.toggle("lanes-over", Boolean(this.model.layout.over));
    this.places = fillRows(this.nodes.rows, this.model);
    this.nodes.lanes.style.height = `${this.model.height}px`;
  }

  // Drawing.

  /** Draws everything in the next frame. */
  redraw() {
    this.#paintAll = true;
    this.#next();
  }

  #next() {
    this.#waits ||= requestAnimationFrame((nowMs) => this.#frame(nowMs));
  }

  #frame(nowMs) {
    this.#waits = 0;
    if (this.glide.step(nowMs)) this.#next();
    if (this.#paintAll) this.#paint();
    this.#paintAll = false;
    this.#paintHead();
  }

  #paint() {
    if (this.#isStale) this.#prepare();
    const { session, model } = this;
    const colors = inks();
    this.scale = new Scale(session.view, this.width);
    const stepS = stepFor(this.scale.pixelsPerS, session.frameRate);
    const times = ticks(session.view, stepS);
    const top = this.nodes.scroller.scrollTop;
    const { hoveredId, runningId } = this;
    const { selectedId, selected } = session;
    const heldId = this.handles.segment?.id ?? null;
    this.lanes.paint(model, this.scale, { selectedId, selected, runningId, hoveredId, heldId,
      ticks: times, rows: [top, top + this.scrolledHeight] }, colors);
    paintRuler(this.ruler, this.scale, { ticks: times, stepS, inks: colors });
    if (this.#drawn !== colors) this.overview.draw(colors);
    this.#drawn = colors;
    this.overview.paint(session.view, colors);
    this.handles.place(model, this.scale);
    this.bar.showRange(session.view);
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#rested(), REST_MS);
  }

  #paintHead() {
    const { timeS, correcting, stepKind } = this.session;
    const x = this.scale.x(timeS);
    this.head.classList.toggle("away", x < -1 || x > this.width + 1);
    this.head.style.transform = `translateX(${x}px)`;
    this.chip.style.transform = `translateX(${this.#chipShift(x)}px) translateX(-50%)`;
    const text = clock(timeS, { milliseconds: correcting && stepKind === "frame" });
    if (this.chip.textContent !== text) this.chip.textContent = text;
    this.overview.paintHead(timeS);
  }

  /** The chip stays within the card, beside its line if need be. */
  #chipShift(x) {
    const room = this.isNarrow ? this.gutter : RIGHT_MARGIN;
    const left = Math.max(CHIP_HALF - this.gutter - x, 0);
    return left - Math.max(x + CHIP_HALF - this.width - room, 0);
  }

  #rested() {
    this.access.update(this.model, this.scale, this.places);
    this.overview.describe(this.session.view);
  }

  // What moves the view.

  #moved(isSeek) {
    const runningId = this.session.running?.id ?? null;
    if (runningId !== this.runningId) this.#paintAll = true;
    this.runningId = runningId;
    this.following.moved(isSeek);
    this.#next();
  }

  /** Keeps the view where it is while somebody drags. */
  hold(isHeld) {
    this.following.isHeld = isHeld;
  }

  /** @returns {number} time at a pixel of the window, within the video */
  timeAt(clientX) {
    const { left } = this.nodes.canvas.getBoundingClientRect();
    const timeS = this.scale.time(clientX - left);
    return Math.min(Math.max(timeS, 0), this.session.durationS);
  }

  /** Shortest view in seconds. */
  get leastS() {
    return Math.min(5 * this.session.frameS, this.session.durationS);
  }

  setView({ startS, endS }) {
    this.session.setView(startS, endS);
  }

  /** Zooms around the playhead, or the middle where the playhead is not in view. */
  zoom(factor) {
    const { timeS, durationS } = this.session;
    const view = this.glide.target;
    const isInView = timeS >= view.startS && timeS <= view.endS;
    const anchorS = isInView ? timeS : (view.startS + view.endS) / 2;
    this.glideTo(zoomed(view, factor, anchorS, { durationS, leastS: this.leastS }));
  }

  showAll() {
    this.glideTo({ startS: 0, endS: this.session.durationS });
  }

  /** Fits the view to a segment. */
  fit(segment) {
    const { startS, endS } = around(segment, this.session.durationS);
    this.glideTo(fitted(startS, Math.max(endS - startS, this.leastS), this.session.durationS));
  }

  glideTo(view) {
    this.glide.to(view);
    this.#next();
  }

  /** Brings a segment into view at once, with its button. */
  show(segment) {
    this.following.bring(segment.startS);
    this.scale = new Scale(this.session.view, this.width);
    this.#rested();
    this.redraw();
  }

  /** Marks the segment under the pointer. */
  hover(id) {
    if (id === null) this.tip.hide();
    if (id === this.hoveredId) return;
    this.hoveredId = id;
    this.nodes.lanes.classList.toggle("hit", id !== null);
    this.redraw();
  }
}

/** @returns {string} equal for models whose column of names looks the same */
function rowsKey({ lanes, layout, session, compared }) {
  const scores = new Map(session.classes.map(({ label, score }) => [label, score]));
  const rows = lanes.map(({ label, sources }) => [label, sources.A.length, scores.get(label)]);
  return JSON.stringify([rows, layout, compared, session.activation !== null]);
}

/**
 * Fills `root` with the time line of a session.
 * @returns {Timeline} `toolbar` is shown in place of the bar while correcting; `destroy()` ends it
 */
export function mountTimeline(root, session) {
  return new Timeline(root, session);
}
