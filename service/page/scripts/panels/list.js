/** List of segments: a grid that keeps only the rows in view, for 5,000 segments and more. */

import { button, el, fill } from "../elements.js";
import { clock, score, spokenClock } from "../format.js";
import { icon } from "../icons.js";
import { bind, titled } from "../keys.js";
import { openMenu } from "../menus.js";
import { announce } from "../notices.js";
import { classMark } from "./class_mark.js";
import { rowsOf, windowOf } from "./list_order.js";
import { nothingLeft } from "./nothing_left.js";
import { on, onceAFrame } from "./schedule.js";

/** Time for which the list stays where somebody scrolled it. */
const HANDS_OFF_MS = 5000;
/** Order in which the key T sorts. */
const SORTS = [["start", false], ["score", true], ["class", false], ["end", false]];
const COLUMNS = [["class", "Class"], ["start", "Start"], ["end", "End"], ["score", "Score"]];
const STATES = { accepted: "accept", rejected: "close", changed: "correct", added: "add" };

export class SegmentList {
  #order = { column: "start", descending: false };
  #filter = { label: null, text: "", unchecked: false };
  #rows = [];
  #scrolledMs = -Infinity;
  #runningId = null;
  /** Rows in view, by all that they show. */
  #made = new Map();

  /**
   * @param {HTMLElement} root A card, whose content this becomes.
   * @param {import("../session.js").Session} session
   * @param {AbortSignal} signal
   */
  constructor(root, session, signal) {
    this.session = session;
    this.root = root;
    this.#build();
    this.paint = onceAFrame(() => this.#paint(), signal);
    on(session, "segments mode options", () => this.#refresh(), signal);
    on(session, "selection", () => this.#onSelection(), signal);
    on(session, "time", () => this.#onTime(), signal);
    const resized = new ResizeObserver(() => this.#refresh());
    resized.observe(this.grid);
    signal.addEventListener("abort", bind(
      { key: "T", does: () => this.sortNext(), text: "Sort the list", group: "Segments" },
      { key: "/", does: () => this.find(), text: "Find a class", group: "Segments",
        when: () => !session.correcting && !session.modelB },
    ));
    this.#refresh();
  }

  #build() {
    this.count = el("span", { class: "quiet" });
    this.filterButton = button("All classes", () => this.#openFilter(), { after: "chevron", class: "narrow" });
    this.filterButton.setAttribute("aria-haspopup", "menu");
    const search = button("Find a class", () => this.find(),
      { icon: "find", only: true, class: "plain", title: titled("Find a class", "/") });
    this.field = el("input", { class: "field", type: "search", placeholder: "Find a class",
      ariaLabel: "Find a class in the list", oninput: () => this.#setFilter({ text: this.field.value }),
      onkeydown: (event) => { if (event.key === "Escape") this.#closeFind(); } });
    this.finder = el("div", { class: "list-find", hidden: true }, this.field);
    this.head = el("div", { class: "list-row list-head", role: "row", ariaRowindex: 1 });
    const idAt = ({ target }) => target.closest("[data-segment]")?.dataset.segment;
    this.space = el("div", { class: "list-space", role: "rowgroup",
      onclick: (event) => idAt(event) && this.session.select(idAt(event), { seek: true }),
      ondblclick: (event) => idAt(event) && this.session.playSegment(idAt(event)) });
    this.nothing = el("div", { class: "list-nothing" });
    this.grid = el("div", { class: "list-grid", role: "grid", tabIndex: 0, ariaLabel: "Segments",
      onscroll: () => this.paint(), onkeydown: (event) => this.#onKey(event) },
    el("div", { role: "rowgroup", class: "list-top" }, this.head), this.space);
    for (const type of ["wheel", "pointerdown", "touchmove"]) {
      this.grid.addEventListener(type, () => { this.#scrolledMs = performance.now(); }, { passive: true });
    }
    fill(this.root, el("div", { class: "card-head" }, el("h2", { id: "segments-title" }, "Segments"),
      this.count, el("span", { class: "rest" }), search, this.filterButton),
    this.finder, this.grid, this.nothing);
    this.#paintHead();
  }

  #paintHead() {
    const cells = COLUMNS.map(([column, text]) => {
      const isSorted = column === this.#order.column;
      const arrow = isSorted ? (this.#order.descending ? " ↓" : " ↑") : "";
      const direction = this.#order.descending ? "descending" : "ascending";
      return el("span", { role: "columnheader", class: `cell-${column}`,
        ariaSort: isSorted ? direction : "none" },
      el("button", { type: "button", tabIndex: -1, class: isSorted ? "sorted" : "",
        title: titled(`Sort by ${text.toLowerCase()}`, "T"), onclick: () => this.sortBy(column) },
      text + arrow));
    });
    fill(this.head, el("span", { role: "columnheader", class: "cell-state" }, el("span", { class: "unseen" }, "State")), cells);
  }

  /** Sorts by a column; by the same column again in the other direction. */
  sortBy(column) {
    const same = this.#order.column === column;
    this.#order = { column, descending: same ? !this.#order.descending : column === "score" };
    this.#paintHead();
    this.#refresh();
    this.#show(this.session.selectedId);
  }

  /** Takes the next of the usual orders. */
  sortNext() {
    const at = SORTS.findIndex(([column]) => column === this.#order.column);
    const [column, descending] = SORTS[(at + 1) % SORTS.length];
    this.#order = { column, descending };
    this.#paintHead();
    this.#refresh();
    announce(`Sorted by ${column}.`);
  }

  find() {
    this.finder.hidden = false;
    this.field.focus();
    this.field.select();
  }

  #closeFind() {
    this.finder.hidden = true;
    this.field.value = "";
    this.#setFilter({ text: "" });
    this.grid.focus();
  }

  #setFilter(change) {
    this.#filter = { ...this.#filter, ...change };
    this.#refresh();
  }

  #openFilter() {
    const labels = [...new Set(this.session.segments.map((one) => one.label))].sort();
    const { label: chosen, unchecked } = this.#filter;
    const choose = (label, isUnchecked) => () => this.#setFilter({ label, unchecked: isUnchecked });
    openMenu(this.filterButton, [
      { text: "All classes", checked: chosen === null && !unchecked, does: choose(null, false) },
      this.session.correcting
        && { text: "Unchecked", checked: unchecked, does: choose(null, true) },
      "line",
      ...labels.map((label) => ({ text: label, checked: label === chosen, does: choose(label, false) })),
    ].filter(Boolean));
  }

  #refresh() {
    const { session } = this;
    if (this.#filter.unchecked && !session.correcting) this.#filter.unchecked = false;
    const { label, unchecked } = this.#filter;
    const all = session.correcting ? "All" : "All classes";
    this.filterButton.querySelector("span").textContent = unchecked ? "Unchecked" : label ?? all;
    this.#rows = rowsOf(session.segments, this.#order, this.#filter);
    const checked = session.segments.filter((one) => one.state !== "found").length;
    const total = session.segments.length;
    fill(this.count, session.correcting ? `${checked} of ${total} checked` : `${total}`);
    this.space.style.height = `${this.#rows.length * this.#rowHeight}px`;
    this.grid.classList.toggle("empty", !this.#rows.length);
    this.grid.setAttribute("aria-rowcount", String(this.#rows.length + 1));
    this.root.dispatchEvent(new CustomEvent("counted", { detail: total }));
    this.paint();
  }

  get #rowHeight() {
    return parseFloat(getComputedStyle(this.grid).getPropertyValue("--row")) || 30;
  }

  #paint() {
    const rowHeight = this.#rowHeight;
    const count = this.#rows.length;
    const { scrollTop, clientHeight } = this.grid;
    const [first, last] = windowOf({ scrollTop, height: clientHeight, rowHeight, count });
    this.#runningId = this.session.running?.id ?? null;
    this.#keep(this.#rows.slice(first, last).map((one, index) =>
      this.#lineOf(one, first + index, rowHeight)));
    const active = this.#rows.findIndex((one) => one.id === this.session.selectedId);
    const inView = active >= first && active < last;
    if (inView) this.grid.setAttribute("aria-activedescendant", `segment-row-${active}`);
    else this.grid.removeAttribute("aria-activedescendant");
    fill(this.nothing, count ? null : nothingLeft(this.session, this.#filter));
  }

  #lineOf(segment, index, rowHeight) {
    const selected = segment.id === this.session.selectedId;
    return { segment, index, rowHeight, selected, runs: segment.id === this.#runningId };
  }

  /** Keeps the rows that did not change, so that a click is never on a row that was replaced. */
  #keep(lines) {
    const wanted = lines.map((line) => [JSON.stringify(line), line]);
    const keys = new Set(wanted.map(([key]) => key));
    for (const [key, row] of this.#made) if (!keys.has(key)) row.remove();
    const made = new Map(wanted.map(([key, line]) => [key, this.#made.get(key) ?? this.#row(line)]));
    let before = null;
    for (const row of made.values()) {
      const next = before ? before.nextSibling : this.space.firstChild;
      if (next !== row) this.space.insertBefore(row, next);
      before = row;
    }
    this.#made = made;
  }

  #row({ segment, index, rowHeight, selected, runs }) {
    const { id, label, startS, endS, state } = segment;
    const sign = STATES[state] ?? (runs ? "play" : null);
    const checked = state === "found" ? "" : state;
    const row = el("div", { id: `segment-row-${index}`, role: "row", ariaRowindex: index + 2,
      ariaSelected: String(selected), class: `list-row ${checked} ${selected || runs ? "current" : ""}`,
      dataset: { segment: id } },
    el("span", { role: "gridcell", class: "cell-state", ariaLabel: checked || (runs ? "running" : "unchecked") },
      sign && icon(sign)),
    el("span", { role: "gridcell", class: "cell-class" }, classMark(this.session, label)),
    el("span", { role: "gridcell", class: "cell-start", ariaLabel: spokenClock(startS) }, clock(startS)),
    el("span", { role: "gridcell", class: "cell-end", ariaLabel: spokenClock(endS) }, clock(endS)),
    el("span", { role: "gridcell", class: "cell-score" }, scoreBar(segment.score), score(segment.score)));
    row.style.transform = `translateY(${index * rowHeight}px)`;
    return row;
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
    const height = this.grid.clientHeight - this.head.offsetHeight;
    const { scrollTop } = this.grid;
    if (top < scrollTop) this.grid.scrollTop = top;
    else if (top + rowHeight > scrollTop + height) this.grid.scrollTop = top + rowHeight - height;
  }

  #onKey(event) {
    const at = this.#rows.findIndex((one) => one.id === this.session.selectedId);
    const page = Math.max(1, Math.floor(this.grid.clientHeight / this.#rowHeight) - 2);
    const last = this.#rows.length - 1;
    const next = { ArrowDown: at + 1, ArrowUp: at < 0 ? last : at - 1, PageDown: at + page,
      PageUp: at - page, Home: 0, End: last }[event.key];
    if (event.key === "Enter" && at >= 0) this.session.playSegment(this.#rows[at].id);
    else if (next === undefined || last < 0 || event.ctrlKey || event.altKey) return;
    else this.session.select(this.#rows[Math.min(Math.max(next, 0), last)].id, { seek: true });
    event.preventDefault();
  }
}

function scoreBar(value) {
  const bar = el("span", {});
  bar.style.width = `${Math.min(100, Math.max(0, 100 * value))}%`;
  return el("span", { class: "meter" }, bar);
}
