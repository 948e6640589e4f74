/** "Class of this segment": every class, most active first; the first nine have keys. */

import { capOf } from "../parts/dialogs.js";
import { el, fill } from "../parts/elements.js";
import { score } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { classMark } from "../panels/class_mark.js";
import { on, onceAFrame } from "../panels/schedule.js";
import { meanWithin } from "./class_activation.js";
import { relabel } from "./edits.js";

export const KEYED = 9;

export class ClassChoice {
  #active = 0;

  /**
   * @param {HTMLElement} root
   * @param {import("../result/session.js").Session} session
   * @param {AbortSignal} signal
   */
  constructor(root, session, signal) {
    this.session = session;
    this.field = el("input", {
      class: "field",
      type: "search",
      placeholder: "Find a class",
      ariaLabel: "Find a class for this segment",
      oninput: () => {
        this.#active = 0;
        this.#paint();
      },
      onkeydown: (event) => this.#onKey(event),
    });
    this.list = el("div", {
      class: "class-choice",
      role: "listbox",
      tabIndex: 0,
      ariaLabel: "Classes",
      onkeydown: (event) => this.#onKey(event),
    });
    this.note = el("p", { class: "quiet small class-note" });
    fill(
      root,
      el("div", { class: "card-head" }, el("h2", { id: "class-title" }, "Class of this segment")),
      el("div", { class: "with-icon" }, icon("find"), this.field),
      this.list,
      this.note,
    );
    const paint = onceAFrame(() => this.#paint(), signal);
    on(session, "selection segments activation mode", paint, signal);
    paint();
  }

  /** Puts the focus where a class is found. */
  find() {
    this.field.focus();
    this.field.select();
  }

  /** Gives the selected segment the class of a key, 1 to 9. */
  chooseByKey(number) {
    const label = this.session.classes[number - 1]?.label;
    if (label) this.#choose(label);
  }

  get #labels() {
    const wanted = this.field.value.trim().toLowerCase();
    return this.session.classes
      .map((one) => one.label)
      .filter((label) => label.toLowerCase().includes(wanted));
  }

  #choose(label) {
    const { selected } = this.session;
    if (selected) this.session.edit(relabel(selected, label));
  }

  #paint() {
    const { session } = this;
    if (!session.correcting) return;
    const { selected, activation, labels } = session;
    const means = selected && activation ? meanWithin(activation, selected) : null;
    const order = session.classes.map((one) => one.label);
    const shown = this.#labels;
    this.#active = Math.min(this.#active, Math.max(0, shown.length - 1));
    fill(
      this.list,
      shown.map((label, index) => {
        const number = order.indexOf(label) + 1;
        const mean = means?.[labels.indexOf(label)];
        const isChosen = selected?.label === label;
        const row = el(
          "div",
          {
            role: "option",
            id: `class-option-${index}`,
            ariaSelected: String(isChosen),
            class: `class-option ${index === this.#active ? "active" : ""}`,
            onclick: () => this.#choose(label),
          },
          number <= KEYED ? capOf(String(number)) : el("span", { class: "no-key" }),
          classMark(session, label),
          el("span", { class: "quiet" }, mean === undefined ? "" : score(mean)),
        );
        return row;
      }),
    );
    if (shown.length)
      this.list.setAttribute("aria-activedescendant", `class-option-${this.#active}`);
    else this.list.removeAttribute("aria-activedescendant");
    fill(
      this.note,
      !selected
        ? "Select a segment to give it a class."
        : !shown.length
          ? "No class has this name."
          : means
            ? "Activation of the class in this segment"
            : null,
    );
  }

  #onKey(event) {
    const labels = this.#labels;
    if (event.key === "Enter" && labels.length) this.#take(labels[this.#active]);
    else if (event.key === "ArrowDown") this.#move(1, labels.length);
    else if (event.key === "ArrowUp") this.#move(-1, labels.length);
    else if (event.key === "Escape" && event.target === this.field) this.field.blur();
    else return;
    event.preventDefault();
  }

  #take(label) {
    this.#choose(label);
    this.field.value = "";
    this.#active = 0;
    this.#paint();
    this.field.blur();
  }

  #move(step, count) {
    this.#active = Math.min(Math.max(this.#active + step, 0), count - 1);
    this.#paint();
    this.list.children[this.#active]?.scrollIntoView({ block: "nearest" });
  }
}
