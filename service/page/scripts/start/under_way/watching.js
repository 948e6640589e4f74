/** The video while the service works on it: the player, with a session that has no segments yet. */

import { el } from "../../parts/elements.js";
import { mountPlayer } from "../../look/player.js";
import { Session } from "../../result/session.js";

const NOTHING_FOUND = { segments: [], classes: [], snippets: 1 };
const NO_OPTIONS = { classThreshold: 0, minScore: null, nmsIou: null, maxSegments: null };

/** The card with the player; hidden while the browser cannot play the video. */
export class Watching {
  #api;
  #signal;
  #onLength;
  #isOpen = false;
  element = el("section", { class: "card watching", ariaLabel: "Player", hidden: true });

  /**
   * @param {import("../../server/api.js").Api} api
   * @param {AbortSignal} signal
   * @param {(durationS: number) => void} onLength - Called when the length is known.
   */
  constructor(api, signal, onLength) {
    this.#api = api;
    this.#signal = signal;
    this.#onLength = onLength;
  }

  /** Plays a file of this computer. */
  openFile(file, model) {
    const address = URL.createObjectURL(file);
    this.#signal.addEventListener("abort", () => URL.revokeObjectURL(address));
    this.#open(address, { job: null, name: file.name, model });
  }

  /** Plays the service's copy of a job's video, unless one plays. */
  async openJob(job) {
    if (this.#isOpen || !job.video?.available) return;
    this.#isOpen = true;
    const address = this.#api.videoUrl(job.id, await this.#api.ticket(job.id));
    this.#open(address, { job, name: job.name, model: job.model, frameRate: job.video.frame_rate });
  }

  #open(address, facts) {
    this.#isOpen = true;
    const probe = el("video", { src: address, preload: "metadata", muted: true });
    probe.addEventListener("error", () => { this.#isOpen = false; });
    probe.addEventListener("loadedmetadata", () => {
      const durationS = probe.duration;
      if (this.#signal.aborted || probe.videoWidth === 0 || !Number.isFinite(durationS)) return;
      this.#mount({ frameRate: null, ...facts, durationS, videoUrl: address, canPlay: true });
      this.#onLength(durationS);
    });
  }

  #mount(facts) {
    const session = new Session({ ...facts, labels: [], result: NOTHING_FOUND,
      defaults: NO_OPTIONS });
    const player = mountPlayer(this.element, session, this.#api);
    this.#signal.addEventListener("abort", () => player.destroy());
    this.element.hidden = false;
  }
}
