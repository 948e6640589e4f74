/** Headings of the list, which sort it. */

import { el, fill } from "../../parts/elements.js";
import { titled } from "../../parts/keys.js";
import { announce } from "../../parts/notices.js";

const COLUMNS = { class: "Class", start: "Start", end: "End", score: "Score" };
/** Orders that the key T goes through. */
const USUAL = [
  { column: "start", descending: false },
  { column: "score", descending: true },
  { column: "class", descending: false },
  { column: "end", descending: false },
];

export class ListSorting {
  order = USUAL[0];

  /** @param {() => void} onChange */
  constructor(onChange) {
    this.onChange = onChange;
    this.node = el("div", { class: "list-row list-head", role: "row", ariaRowindex: 1 });
    this.#paint();
  }

  /** Sorts by a column; by the same column again in the other direction. */
  by(column) {
    const isSame = this.order.column === column;
    this.#take({ column, descending: isSame ? !this.order.descending : column === "score" });
  }

  /** Takes the next of the usual orders. */
  next() {
    const at = USUAL.findIndex(({ column }) => column === this.order.column);
    this.#take(USUAL[(at + 1) % USUAL.length]);
    announce(`Sorted by ${this.order.column}.`);
  }

  #take(order) {
    this.order = order;
    this.#paint();
    this.onChange();
  }

  #paint() {
    const state = el("span", { class: "unseen" }, "State");
    fill(
      this.node,
      el("span", { role: "columnheader", class: "cell-state" }, state),
      Object.entries(COLUMNS).map(([column, text]) => this.#heading(column, text)),
    );
  }

  #heading(column, text) {
    const { column: sorted, descending } = this.order;
    const isSorted = column === sorted;
    const arrow = isSorted ? (descending ? " ↓" : " ↑") : "";
    const ariaSort = isSorted ? (descending ? "descending" : "ascending") : "none";
    const options = {
      type: "button",
      tabIndex: -1,
      class: isSorted ? "sorted" : "",
      title: titled(`Sort by ${text.toLowerCase()}`, "T"),
      onclick: () => this.by(column),
    };
    const sort = el("button", options, text + arrow);
    return el("span", { role: "columnheader", class: `cell-${column}`, ariaSort }, sort);
  }
}
