/** List of segments: a grid that keeps only the rows in view, for 5,000 segments and more. */

import { el, fill } from "../../parts/elements.js";
import { bind } from "../../parts/keys.js";
import { ListFilter } from "./filter.js";
import { rowsOf, windowOf } from "./order.js";
import { rowOf } from "./row.js";
import { ListSorting } from "./sorting.js";
import { nothingLeft } from "./nothing_left.js";
import { on, onceAFrame } from "../schedule.js";

/** Time for which the list stays where somebody scrolled it. */
const HANDS_OFF_MS = 5000;
/** Height of a row where the style sheet is not there yet. */
const USUAL_HEIGHT = 30;

export class SegmentList {
  #rows = [];
  #scrolledMs = -Infinity;
  #runningId = null;
  /** Rows in view, by all that they show. */
  #made = new Map();

  /**
   * @param {HTMLElement} root A card, whose content this becomes.
   * @param {import("../../result/session.js").Session} session
   * @param {AbortSignal} signal
   */
  constructor(root, session, signal) {
    this.session = session;
    const onChange = () => this.#refresh();
    this.filter = new ListFilter(session, { onChange, onClose: () => this.grid.focus() });
    this.sorting = new ListSorting(() => {
      this.#refresh();
      this.#show(session.selectedId);
    });
    this.#build(root);
    this.paint = onceAFrame(() => this.#paint(), signal);
    on(session, "segments mode options", onChange, signal);
    on(session, "selection", () => this.#onSelection(), signal);
    on(session, "time", () => this.#onTime(), signal);
    const sizes = new ResizeObserver(onChange);
    sizes.observe(this.grid);
    signal.addEventListener("abort", () => sizes.disconnect());
    signal.addEventListener("abort", this.#bindKeys());
    this.#refresh();
  }

  #build(root) {
    const { session } = this;
    const at = ({ target }) => session.segment(target.closest("[data-segment]")?.dataset.segment);
    this.space = el("div", {
      class: "list-space",
      role: "rowgroup",
      onclick: (event) => at(event) && session.click(at(event)),
      ondblclick: (event) => at(event) && session.playSegment(at(event).id),
    });
    this.grid = el(
      "div",
      {
        class: "list-grid",
        role: "grid",
        tabIndex: 0,
        ariaLabel: "Segments",
        onscroll: () => this.paint(),
        onkeydown: (event) => this.#onKey(event),
      },
      el("div", { role: "rowgroup", class: "list-top" }, this.sorting.node),
      this.space,
    );
    const scrolled = () => {
      this.#scrolledMs = performance.now();
    };
    for (const type of ["wheel", "pointerdown", "touchmove"]) {
      this.grid.addEventListener(type, scrolled, { passive: true });
    }
    this.nothing = el("div", { class: "list-nothing" });
    fill(root, this.filter.bar, this.filter.finder, this.grid, this.nothing);
  }

  #bindKeys() {
    const { session, filter, sorting } = this;
    const when = () => !session.correcting && !session.modelB;
    const group = "Segments";
    return bind(
      { key: "T", does: () => sorting.next(), text: "Sort the list", group },
      { key: "/", does: () => filter.find(), text: "Find a class", group, when },
    );
  }

  #refresh() {
    this.filter.paint();
    this.#rows = rowsOf(this.session.segments, this.sorting.order, this.filter.chosen);
    const count = this.#rows.length;
    this.space.style.height = `${count * this.#rowHeight}px`;
    this.grid.classList.toggle("empty", !count);
    this.grid.setAttribute("aria-rowcount", String(count + 1));
    fill(this.nothing, count ? null : nothingLeft(this.session, this.filter.chosen));
    this.paint();
  }

  get #rowHeight() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || USUAL_HEIGHT;
  }

  #paint() {
    const { selectedId, running } = this.session;
    const rowHeight = this.#rowHeight;
    const count = this.#rows.length;
    const { scrollTop, clientHeight: height } = this.grid;
    const [first, last] = windowOf({ scrollTop, height, rowHeight, count });
    this.#runningId = running?.id ?? null;
    const lines = this.#rows
      .slice(first, last)
      .map((segment, offset) => ({
        segment,
        index: first + offset,
        rowHeight,
        selected: segment.id === selectedId,
        runs: segment.id === this.#runningId,
      }));
    this.#keep(lines);
    const active = lines.find((line) => line.selected);
    if (active) this.grid.setAttribute("aria-activedescendant", `segment-row-${active.index}`);
    else this.grid.removeAttribute("aria-activedescendant");
  }

  /** Keeps the rows that did not change, so that a click is never on a row that was replaced. */
  #keep(lines) {
    const wanted = new Map(lines.map((line) => [JSON.stringify(line), line]));
    for (const [key, row] of this.#made) if (!wanted.has(key)) row.remove();
    const made = new Map();
    let before = null;
    for (const [key, line] of wanted) {
      const row = this.#made.get(key) ?? rowOf(this.session, line);
      const next = before ? before.nextSibling : this.space.firstChild;
      if (next !== row) this.space.insertBefore(row, next);
      made.set(key, row);
      before = row;
    }
    this.#made = made;
  }

  #onSelection() {
    this.#show(this.session.selectedId);
    this.paint();
  }

  #onTime() {
    const running = this.session.running?.id ?? null;
    if (running === this.#runningId) return;
    const isFree = performance.now() - this.#scrolledMs > HANDS_OFF_MS;
    if (running && isFree && this.session.playing) this.#show(running);
    this.paint();
  }

  /** Scrolls as little as brings a row into sight. */
  #show(id) {
    const index = this.#rows.findIndex((one) => one.id === id);
    if (index < 0) return;
    const rowHeight = this.#rowHeight;
    const top = index * rowHeight;
    const height = this.grid.clientHeight - this.sorting.node.offsetHeight;
    const { scrollTop } = this.grid;
    if (top < scrollTop) this.grid.scrollTop = top;
    else if (top + rowHeight > scrollTop + height) this.grid.scrollTop = top + rowHeight - height;
  }

  #onKey(event) {
    const at = this.#rows.findIndex((one) => one.id === this.session.selectedId);
    const page = Math.max(1, Math.floor(this.grid.clientHeight / this.#rowHeight) - 2);
    const last = this.#rows.length - 1;
    const next = {
      ArrowDown: at + 1,
      ArrowUp: at < 0 ? last : at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: last,
    }[event.key];
    if (event.key === "Enter" && at >= 0) this.session.playSegment(this.#rows[at].id);
    else if (next === undefined || last < 0 || event.ctrlKey || event.altKey) return;
    else this.session.select(this.#rows[Math.min(Math.max(next, 0), last)].id, { seek: true });
    event.preventDefault();
  }
}
