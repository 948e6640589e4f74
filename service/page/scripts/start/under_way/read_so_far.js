/** A strip of stills of what the service has read of a video. */

import { el, fill } from "../../parts/elements.js";
import { clock } from "../../parts/format.js";
import { shareOf } from "../rows.js";

const HEIGHT = 80;

/** The card "Read so far"; hidden until the length of the video is known. */
export class ReadSoFar {
  #api;
  #tiles = [];
  #read = 0;
  #loading = null;
  #words = el("span", { class: "quiet rest" });
  #strip = el("div", { class: "read-strip" });
  #bar = el("span", {});
  element = el("section", { class: "card read-so-far", ariaLabel: "Read so far", hidden: true },
    el("div", { class: "card-head" }, el("h2", {}, "Read so far"), this.#words),
    this.#strip, el("div", { class: "meter" }, this.#bar));

  constructor(api) {
    this.#api = api;
    const count = matchMedia("(max-width: 759px)").matches ? 6 : 13;
    this.#tiles = Array.from({ length: count }, () => el("span", {}));
    fill(this.#strip, this.#tiles);
  }

  /** Shows how far a job is in a video of a length in seconds. */
  show(job, durationS) {
    const share = shareOf(job);
    if (share === null || !durationS) return;
    this.element.hidden = false;
    this.#words.textContent = `${clock(share * durationS)} of ${clock(durationS)}`;
    this.#bar.style.width = `${100 * share}%`;
    this.#read = share;
    this.#loading ??= this.#load(job.id, durationS);
  }

  /** Loads the stills one after the other, as far as the video is read. */
  async #load(id, durationS) {
    for (const [place, tile] of this.#tiles.entries()) {
      const middle = (place + 0.5) / this.#tiles.length;
      while (this.#read < middle && this.element.isConnected) await aMoment();
      if (!this.element.isConnected) return;
      await this.#loadTile(tile, id, middle * durationS);
    }
  }

  async #loadTile(tile, id, timeS) {
    try {
      const address = URL.createObjectURL(await this.#api.still(id, timeS, HEIGHT));
      const image = el("img",
        { src: address, alt: "", onload: () => URL.revokeObjectURL(address) });
      fill(tile, image);
    } catch {
      tile.classList.add("hatched");  // no still came
    }
  }
}

/** Waits a moment. */
const aMoment = () => new Promise((done) => setTimeout(done, 200));
