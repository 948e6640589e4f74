/** Stills of the server, where the browser cannot play the video. */

import { el, fill } from "../../elements.js";
import { clock } from "../../format.js";

/** Seconds from one still to the next. */
export const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10];
const TILES = 10;
/** Tiles before the playhead. */
const BEFORE = 6;
const TILE_HEIGHT = 72;
const LARGE_HEIGHT = 720;
/** The playhead rests after so long; stills are asked for then. */
const REST_MS = 120;

export class Stills {
  #rest = 0;
  #ticket = null;
  #tries = 0;
  #shown = "";

  /**
   * @param {import("../../session.js").Session} session
   * @param {import("../../api.js").Api} api
   */
  constructor(session, api) {
    Object.assign(this, { session, api, stepS: 0.5 });
    this.large = el("img", { class: "still", alt: "", draggable: false });
    this.strip = el("div", { class: "strip" });
    this.node = el("div", { class: "stills" }, this.large, this.strip);
    this.large.addEventListener("error", () => this.#large(false));
    this.large.addEventListener("load", () => this.#large(true));
  }

  #large(came) {
    this.large.classList.toggle("absent", !came);
    this.node.classList.toggle("hatched", !came);
    if (came) this.#tries = 0;
    else this.#renew();
  }

  /** Asks for another ticket, once: the one in use may be too old. */
  #renew() {
    if (this.#tries) return;
    this.#tries += 1;
    this.#ticket = null;
    this.#shown = "";
    this.update();
  }

  setStep(stepS) {
    this.stepS = stepS;
    this.update();
  }

  /** @returns {number} time of the still nearest to the playhead */
  get nearestS() {
    return this.#time(Math.round(this.session.timeS / this.stepS));
  }

  /** @returns {number} time of a still by its number, at most the last of the video */
  #time(number) {
    const last = Math.max(Math.ceil(this.session.durationS / this.stepS) - 1, 0);
    return Math.min(Math.max(number, 0), last) * this.stepS;
  }

  /** Goes to the next still, or to the one before. */
  step(by) {
    this.session.seek(this.#time(Math.round(this.session.timeS / this.stepS) + by));
  }

  /** Shows the stills around the playhead as soon as it rests. */
  update() {
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#show(), REST_MS);
  }

  stop() {
    clearTimeout(this.#rest);
  }

  async #show() {
    const key = `${this.nearestS} ${this.stepS}`;
    if (key === this.#shown) return;
    this.#shown = key;
    try {
      this.#ticket ??= await this.api.ticket(this.session.job.id);
    } catch {
      this.#shown = "";
      this.#large(false);
      return;
    }
    const { id } = this.session.job;
    this.large.src = this.api.stillUrl(id, this.#ticket, this.nearestS, LARGE_HEIGHT);
    this.large.alt = `Still at ${clock(this.nearestS)}`;
    this.#fillStrip();
  }

  #fillStrip() {
    const nearest = Math.round(this.nearestS / this.stepS);
    const count = Math.floor(this.session.durationS / this.stepS) + 1;
    const first = Math.min(Math.max(nearest - BEFORE, 0), Math.max(count - TILES, 0));
    const numbers = Array.from({ length: Math.min(TILES, count) }, (_, i) => first + i);
    const hadFocus = this.strip.contains(document.activeElement);
    fill(this.strip, numbers.map((number) => this.#tile(number, number === nearest)));
    if (hadFocus) this.strip.querySelector("[aria-current]")?.focus();
  }

  #tile(number, isNearest) {
    const timeS = this.#time(number);
    const image = el("img", { alt: "", draggable: false,
      src: this.api.stillUrl(this.session.job.id, this.#ticket, timeS, TILE_HEIGHT) });
    const tile = el("button", { type: "button", class: "tile", tabIndex: isNearest ? 0 : -1,
      ariaLabel: `Go to ${clock(timeS)}`, title: `Go to ${clock(timeS)}`,
      onclick: () => this.session.seek(timeS) }, image, el("span", {}, clock(timeS)));
    if (isNearest) tile.setAttribute("aria-current", "true");
    image.addEventListener("error", () => {
      image.remove();
      tile.prepend(el("span", { class: "absent hatched" }));
    });
    return tile;
  }
}
