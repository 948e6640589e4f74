/** "Find again": sliders for what is found and what is shown of it, and the settings as text. */

import { button, el, fill } from "../parts/elements.js";
import { score } from "../parts/format.js";
import { announce, notify } from "../parts/notices.js";
import { message } from "../server/problems.js";
import { copyText } from "./save_file.js";
import { on, onceAFrame } from "./schedule.js";
import { settingsText } from "./settings_text.js";

/** Sliders by option: text, step, whether the service has to search, and most of its range. */
const SLIDERS = {
  classThreshold: { text: "Class threshold", step: 0.01, asks: true },
  minScore: { text: "Lowest score", step: 0.01, asks: false },
  nmsIou: { text: "Overlap allowed (NMS)", step: 0.01, asks: true },
  maxSegments: { text: "Most segments", step: 1, asks: false },
};
const GONE = "The activation of this video is no longer kept.";

/**
 * Fills a section with the sliders of the session.
 *
 * @param {HTMLElement} root
 * @param {import("../result/session.js").Session} session
 * @param {{signal: AbortSignal, readAgain: () => void}} view
 */
export function mountSliders(root, session, { signal, readAgain }) {
  const summary = el("span", { class: "quiet rest" });
  const sliders = Object.entries(SLIDERS).map(
    ([option, slider]) => new Slider(session, option, slider),
  );
  const copy = async () => {
    await copyText(settingsText(session, new URL(".", location.href).href));
    notify("Copied the command line and the JSON.");
  };
  const reset = button("Reset", () => session.setOptions(session.startOptions), { class: "plain" });
  const gone = el("div", {});
  fill(
    root,
    el("div", { class: "card-head" }, el("h2", { id: "find-again-title" }, "Find again"), summary),
    gone,
    el(
      "div",
      { class: "sliders" },
      sliders.map((one) => one.element),
    ),
    el(
      "div",
      { class: "sliders-foot" },
      button("Copy as settings", copy, {
        icon: "copy",
        class: "plain",
        title: "Copy the command line and the JSON of these settings",
      }),
      reset,
    ),
  );

  let spoken = "";
  let isGone = null;
  const paint = onceAFrame(() => {
    sliders.forEach((one) => one.paint());
    const words = `shows ${session.segments.length} of ${session.found.length}`;
    fill(summary, words);
    if (spoken && spoken !== words)
      announce(`${session.segments.length} of ${session.found.length} segments`);
    spoken = words;
    const atStart = Object.entries(session.startOptions).every(
      ([name, value]) => session.options[name] === value,
    );
    reset.disabled = atStart;
    reset.title = atStart ? "All sliders are where they began" : "Put all sliders back";
    if (isGone === !session.activationId) return;
    isGone = !session.activationId;
    const again = button("Read it again", readAgain);
    fill(
      gone,
      isGone &&
        message("amber", "", `${GONE} “Read it again” takes seconds.`, {
          actions: session.job ? [again] : [],
        }),
    );
  }, signal);
  on(session, "segments options", paint, signal);
  paint();
}

class Slider {
  /**
   * @param {import("../result/session.js").Session} session
   * @param {keyof SLIDERS} option
   * @param {{text: string, step: number, asks: boolean}} slider
   */
  constructor(session, option, { text, step, asks }) {
    Object.assign(this, { session, option, asks, step });
    const shared = { min: 0, step, ariaLabel: text };
    this.range = el("input", {
      type: "range",
      class: "range",
      ...shared,
      oninput: () => this.#set(this.range.valueAsNumber),
    });
    this.field = el("input", {
      type: "number",
      class: "field",
      ...shared,
      placeholder: "All",
      ariaLabel: `${text}, number`,
      onchange: () => this.#set(this.field.valueAsNumber),
    });
    this.mark = el("span", { class: "slider-mark", hidden: true });
    this.element = el(
      "div",
      { class: "slider" },
      el("span", { class: "slider-text" }, text),
      this.field,
      el("div", { class: "slider-track" }, this.range, this.mark),
    );
  }

  get #isCount() {
    return this.option === "maxSegments";
  }

  /** End of the range: scores may exceed 1; one more than all segments means all. */
  get #most() {
    const { found } = this.session;
    if (this.#isCount) return found.length + 1;
    if (this.option !== "minScore") return 1;
    return Math.max(1, Math.ceil(100 * Math.max(0, ...found.map((one) => one.score))) / 100);
  }

  #set(value) {
    const isAll = this.#isCount && (Number.isNaN(value) || value >= this.#most);
    const least = Number.isNaN(value) ? this.#shown : value;
    const within = Math.min(Math.max(least, 0), this.#isCount ? Infinity : this.#most);
    const rounded = this.#isCount ? Math.round(within) : Math.round(100 * within) / 100;
    this.session.setOptions({ [this.option]: isAll ? null : rounded });
    this.paint();
  }

  /** Position of the slider: the model's own NMS until it moved, the end for all segments. */
  get #shown() {
    const { options, defaults } = this.session;
    const value = options[this.option];
    if (value !== null) return value;
    return this.#isCount ? this.#most : defaults[this.option];
  }

  paint() {
    const { session, range, field, option } = this;
    const most = this.#most;
    const value = Math.min(this.#shown, most);
    range.max = field.max = String(most);
    range.value = String(value);
    range.style.setProperty("--share", `${(100 * value) / most}%`);
    const words = this.#isCount ? (value >= most ? "All" : String(value)) : score(value);
    range.setAttribute("aria-valuetext", words);
    if (document.activeElement !== field) field.value = words === "All" ? "" : words;
    range.disabled = field.disabled = this.asks && !session.activationId;
    range.title = range.disabled ? `${GONE} Read it again to move this.` : "";
    const own = session.defaults[option];
    this.mark.hidden = own === null || this.#isCount;
    this.mark.style.left = `${(100 * (own ?? 0)) / most}%`;
    this.mark.title = own === null ? "" : `The model's own value, ${score(own)}`;
  }
}
