/** Stills of the server, where the browser cannot play the video. */

import { el, fill } from "../../parts/elements.js";
import { clock } from "../../parts/format.js";

/** Seconds from one still to the next. */
export const STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10];
const TILES = 10;
/** Tiles before the playhead. */
const BEFORE = 6;
const TILE_HEIGHT = 72;
const LARGE_HEIGHT = 720;
/** The playhead rests after so long; stills are asked for then. */
const REST_MS = 120;
/** Tiles that are kept. */
const MOST_KEPT = 60;

export class Stills {
  #rest = 0;
  #ticket = null;
  #shown = "";
  /** Number of the last request for stills; older ones stop. */
  #round = 0;
  /** @type {Map<string, HTMLImageElement>} tiles that came, by time */
  #kept = new Map();

  /**
   * @param {import("../../result/session.js").Session} session
   * @param {import("../../server/api.js").Api} api
   */
  constructor(session, api) {
    Object.assign(this, { session, api, stepS: 0.5 });
    this.large = el("img", { class: "still absent", alt: "", draggable: false });
    this.strip = el("div", { class: "stills-strip" });
    this.node = el("div", { class: "stills" }, this.large, this.strip);
  }

  setStep(stepS) {
    this.stepS = stepS;
    this.update();
  }

  /** @returns {number} time of the still nearest to the playhead */
  get nearestS() {
    return this.#time(Math.round(this.session.timeS / this.stepS));
  }

  /** @returns {number} time of a still by its number, within the video */
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
    this.#round += 1;
  }

  async #show() {
    const key = `${this.nearestS} ${this.stepS}`;
    if (key === this.#shown) return;
    this.#shown = key;
    this.#round += 1;
    const round = this.#round;
    const tiles = this.#fillStrip();
    await this.#showLarge(this.nearestS);
    for (const [timeS, place] of tiles) {
      if (round !== this.#round) return;
      await this.#showTile(timeS, place);  // one after the other: the service reads one at a time
    }
  }

  async #showLarge(timeS) {
    const came = await this.#load(this.large, timeS, LARGE_HEIGHT)
      || (this.#renews() && await this.#load(this.large, timeS, LARGE_HEIGHT));
    this.large.classList.toggle("absent", !came);
    this.node.classList.toggle("hatched", !came);
    this.large.alt = came ? `Still at ${clock(timeS)}` : "";
    if (!came) this.#shown = "";  // tried again the next time
  }

  /** Drops a ticket that worked before: it may be too old. */
  #renews() {
    const worked = this.#kept.size > 0;
    this.#ticket = null;
    this.#kept.clear();
    return worked;
  }

  async #showTile(timeS, place) {
    const key = `${timeS}`;
    const image = this.#kept.get(key) ?? el("img", { alt: "", draggable: false });
    if (!this.#kept.has(key) && !await this.#load(image, timeS, TILE_HEIGHT)) return;
    this.#kept.delete(key);
    this.#kept.set(key, image);
    if (this.#kept.size > MOST_KEPT) this.#kept.delete(this.#kept.keys().next().value);
    fill(place, image);
    place.classList.remove("hatched");
  }

  /** @returns {Promise<boolean>} whether the still came */
  async #load(image, timeS, height) {
    const { id } = this.session.job;
    try {
      this.#ticket ??= await this.api.ticket(id);
      image.src = this.api.stillUrl(id, this.#ticket, timeS, height);
      await image.decode();
      return true;
    } catch {
      return false;
    }
  }

  /** @returns {[number, HTMLElement][]} time and place of each tile, the nearest first */
  #fillStrip() {
    const nearest = Math.round(this.nearestS / this.stepS);
    const count = Math.max(Math.ceil(this.session.durationS / this.stepS), 1);
    const first = Math.min(Math.max(nearest - BEFORE, 0), Math.max(count - TILES, 0));
    const numbers = Array.from({ length: Math.min(TILES, count) }, (_, i) => first + i);
    const hadFocus = this.strip.contains(document.activeElement);
    const tiles = numbers.map((number) => this.#tile(this.#time(number), number === nearest));
    fill(this.strip, tiles.map(({ node }) => node));
    if (hadFocus) this.strip.querySelector("[aria-current]")?.focus();
    const distance = ([timeS]) => Math.abs(timeS - this.nearestS);
    return tiles.map(({ timeS, place }) => [timeS, place]).sort((a, b) => distance(a) - distance(b));
  }

  #tile(timeS, isNearest) {
    const kept = this.#kept.get(`${timeS}`);
    const place = el("span", { class: kept ? "place" : "place hatched" }, kept);
    const name = `Go to ${clock(timeS)}`;
    const node = el("button", { type: "button", class: "tile", tabIndex: isNearest ? 0 : -1,
      ariaLabel: name, title: name, onclick: () => this.session.seek(timeS) },
    place, el("span", {}, clock(timeS)));
    if (isNearest) node.setAttribute("aria-current", "true");
    return { timeS, node, place };
  }
}
