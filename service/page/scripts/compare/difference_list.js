/** Comparing with another model or version: where the results differ. */

import { button, el, fill } from "../parts/elements.js";
import { clock } from "../parts/format.js";
import { bind } from "../parts/keys.js";
import { openMenu } from "../parts/menus.js";
import { announce } from "../parts/notices.js";
import { swatch } from "../panels/class_mark.js";
import { KINDS, differences } from "./differences.js";
import { on, onceAFrame } from "../panels/schedule.js";

/**
 * Returns the entries of a menu of models, newest version first.
 *
 * @param {import("../server/api.js").ModelSummary[]} models
 * @param {import("../server/api.js").Model|null} chosen
 * @param {(model: import("../server/api.js").Model) => void} choose
 * @param {import("../server/api.js").Model|null} [leaveOut]
 */
export function modelItems(models, chosen, choose, leaveOut = null) {
  const same = (a, b) => a && b && a.name === b.name && a.version === b.version;
  return models
    .filter((one) => !same(one, leaveOut))
    .sort((a, b) => a.name.localeCompare(b.name) || b.version - a.version)
    .map((one) => ({
      text: modelText(one),
      checked: same(one, chosen) ?? false,
      disabled: one.state === "ready" ? undefined : `This version is ${one.state}`,
      does: () => choose({ name: one.name, version: one.version }),
    }));
}

/** Returns "lifting · version 3". */
export const modelText = ({ name, version }) => `${name} · version ${version}`;

/** List "Where they differ", and the keys D and Shift+D. */
export class DifferenceList {
  #rows = [];
  #kind = null;
  #current = -1;

  /**
   * @param {HTMLElement} root
   * @param {import("../result/session.js").Session} session
   * @param {AbortSignal} signal
   */
  constructor(root, session, signal) {
    this.session = session;
    this.count = el("span", { class: "quiet" });
    this.kindButton = button("All kinds", () => this.#openKinds(), {
      after: "chevron",
      class: "rest",
    });
    this.list = el("div", {
      class: "differences",
      role: "listbox",
      tabIndex: 0,
      ariaLabel: "Differences",
      onkeydown: (event) => this.#onKey(event),
    });
    fill(
      root,
      el(
        "div",
        { class: "card-head" },
        el("h2", { id: "differences-title" }, "Where they differ"),
        this.count,
        this.kindButton,
      ),
      this.list,
    );
    const paint = onceAFrame(() => this.#paint(), signal);
    on(session, "segments truth compare", paint, signal);
    const act = () => session.modelB !== null;
    const shared = { text: "Next, previous difference", group: "Segments", when: act };
    signal.addEventListener(
      "abort",
      bind(
        { key: "D", does: () => this.go(1), ...shared },
        { key: "Shift+D", does: () => this.go(-1), ...shared },
      ),
    );
    paint();
  }

  #openKinds() {
    const choose = (kind) => () => {
      this.#kind = kind;
      this.kindButton.querySelector("span").textContent = kind ? KINDS[kind] : "All kinds";
      this.#current = -1;
      this.#paint();
    };
    openMenu(this.kindButton, [
      { text: "All kinds", checked: this.#kind === null, does: choose(null) },
      ...Object.entries(KINDS).map(([kind, text]) => ({
        text,
        checked: kind === this.#kind,
        does: choose(kind),
      })),
    ]);
  }

  #paint() {
    const { session } = this;
    if (!session.modelB) return;
    const kept = session.segments.filter((one) => one.state !== "rejected");
    this.#rows = differences(kept, session.segmentsB, session.truth?.segments ?? null).filter(
      (one) => this.#kind === null || one.kind === this.#kind,
    );
    this.#current = Math.min(this.#current, this.#rows.length - 1);
    fill(this.count, String(this.#rows.length));
    fill(
      this.list,
      this.#rows.length
        ? this.#rows.map((one, index) => this.#row(one, index))
        : el("p", { class: "quiet measures-none" }, "They find the same."),
    );
    this.#mark();
  }

  #row({ label, startS, text, detail }, index) {
    return el(
      "div",
      {
        role: "option",
        id: `difference-${index}`,
        class: "difference",
        onclick: () => this.#click(index),
      },
      swatch(this.session, label),
      el("span", { class: "strong" }, clock(startS)),
      el(
        "div",
        {},
        el("p", { class: "ends" }, text),
        el("p", { class: "quiet small ends", title: label }, `${label} · ${detail}`),
      ),
    );
  }

  #mark() {
    [...this.list.children].forEach((row, index) => {
      if (row.role === "option") row.setAttribute("aria-selected", String(index === this.#current));
    });
    const current = this.list.children[this.#current];
    if (current && this.#current >= 0) this.list.setAttribute("aria-activedescendant", current.id);
    else this.list.removeAttribute("aria-activedescendant");
    if (this.#current >= 0) current?.scrollIntoView({ block: "nearest" });
  }

  #goTo(index) {
    const row = this.#rows[index];
    if (!row) return;
    this.#current = index;
    this.session.select(row.id);
    this.session.seek(row.startS);
    this.#mark();
    announce(`${clock(row.startS)}, ${row.label}: ${row.text}`);
  }

  #click(index) {
    this.#goTo(index);
    this.session.click(this.#rows[index]);
  }

  #play(index) {
    const { startS, endS } = this.#rows[index];
    this.session.playSpan(startS, endS);
  }

  /** Goes to the next (step 1) or the previous (step -1) difference. */
  go(step) {
    if (!this.#rows.length) return;
    const from = this.#current < 0 && step < 0 ? 0 : this.#current;
    this.#goTo((from + step + this.#rows.length) % this.#rows.length);
  }

  #onKey(event) {
    if (event.key === "Enter" && this.#current >= 0) this.#play(this.#current);
    else if (event.key === "ArrowDown") this.go(1);
    else if (event.key === "ArrowUp") this.go(-1);
    else return;
    event.preventDefault();
  }
}
