/** Bar above the list: how many segments there are, and which of them are listed. */

import { button, el, fill } from "../../parts/elements.js";
import { titled } from "../../parts/keys.js";
import { openMenu } from "../../parts/menus.js";

export class ListFilter {
  /** Only segments of this class, with this text in their class, or that nobody has checked. */
  chosen = { label: null, text: "", unchecked: false };

  /**
   * @param {import("../../result/session.js").Session} session
   * @param {{onChange: () => void, onClose: () => void}} list Called after each change, and when
   *   the field that finds a class is closed.
   */
  constructor(session, { onChange, onClose }) {
    Object.assign(this, { session, onChange, onClose });
    this.count = el("span", { class: "quiet" });
    this.button = button("All classes", () => this.#openMenu(), { after: "chevron" });
    this.button.setAttribute("aria-haspopup", "menu");
    this.field = el("input", {
      class: "field",
      type: "search",
      placeholder: "Find a class",
      ariaLabel: "Find a class in the list",
      oninput: () => this.#choose({ text: this.field.value }),
      onkeydown: ({ key }) => key === "Escape" && this.#close(),
    });
    this.finder = el("div", { class: "list-find", hidden: true }, this.field);
    const options = {
      icon: "find",
      only: true,
      class: "plain",
      title: titled("Find a class", "/"),
    };
    const find = button("Find a class", () => this.find(), options);
    const heading = el("h2", { id: "segments-title" }, "Segments");
    const space = el("span", { class: "rest" });
    this.bar = el("div", { class: "card-head" }, heading, this.count, space, find, this.button);
  }

  /** Shows what is chosen, and how many segments there are or are checked. */
  paint() {
    const { correcting, segments } = this.session;
    if (!correcting) this.chosen.unchecked = false;
    const { label, unchecked } = this.chosen;
    const all = correcting ? "All" : "All classes";
    this.button.querySelector("span").textContent = unchecked ? "Unchecked" : (label ?? all);
    const checked = segments.filter((one) => one.state !== "found").length;
    const total = segments.length;
    fill(this.count, correcting ? `${checked} of ${total} checked` : String(total));
  }

  /** Puts the focus into the field that finds a class. */
  find() {
    this.finder.hidden = false;
    this.field.focus();
    this.field.select();
  }

  #close() {
    this.finder.hidden = true;
    this.field.value = "";
    this.#choose({ text: "" });
    this.onClose();
  }

  #choose(change) {
    this.chosen = { ...this.chosen, ...change };
    this.onChange();
  }

  #openMenu() {
    const { segments, correcting } = this.session;
    const { label: chosen, unchecked } = this.chosen;
    const item = (text, label, isUnchecked = false) => ({
      text,
      checked: label === chosen && isUnchecked === unchecked,
      does: () => this.#choose({ label, unchecked: isUnchecked }),
    });
    const labels = [...new Set(segments.map((one) => one.label))].sort();
    openMenu(this.button, [
      item("All classes", null),
      ...(correcting ? [item("Unchecked", null, true)] : []),
      "line",
      ...labels.map((label) => item(label, label)),
    ]);
  }
}
