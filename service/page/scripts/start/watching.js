/** The video while the service works on it. */

import { el, fill } from "../elements.js";

/** The card with the player: a file of this computer, or the service's; hidden where none plays. */
export class Watching {
  #address = "";
  #onLength;
  element = el("section", { class: "card watching", ariaLabel: "Video", hidden: true });

  /** @param {(durationS: number) => void} onLength - Called when the length is known. */
  constructor(onLength) {
    this.#onLength = onLength;
  }

  /** Plays a file of this computer. */
  openFile(file, signal) {
    const address = URL.createObjectURL(file);
    signal.addEventListener("abort", () => URL.revokeObjectURL(address));
    this.#open(address);
  }

  /** Plays the service's copy of a job's video, unless one plays. */
  async openJob(api, job) {
    if (this.#address || !job.video?.available) return;
    this.#address = "asked";
    this.#open(api.videoUrl(job.id, await api.ticket(job.id)));
  }

  #open(address) {
    this.#address = address;
    const video = el("video", { src: address, controls: true, muted: true, playsInline: true,
      preload: "metadata", ariaLabel: "Video, while the service works on it" });
    video.addEventListener("loadedmetadata", () => {
      this.element.hidden = video.videoWidth === 0;
      this.#onLength(video.duration);
    });
    video.addEventListener("error", () => { this.element.hidden = true; });
    fill(this.element, video, el("p", { class: "small quiet" }, "You can watch while it works"));
  }
}
