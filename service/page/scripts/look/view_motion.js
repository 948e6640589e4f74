/** How the view of the time line moves: it glides when zoomed, and follows the playhead by pages. */

import { pageWith } from "./scale.js";

const GLIDE_MS = 150;

/** Moves the view smoothly, or at once where people do not want motion. */
export class Glide {
  #from = null;
  #to = null;
  #startMs = null;

  /** @param {import("../result/session.js").Session} session */
  constructor(session) {
    this.session = session;
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
  }

  /** The view at the end of the motion. */
  get target() {
    return this.#to ?? this.session.view;
  }

  to(view) {
    this.#from = this.session.view;
    this.#to = view;
    this.#startMs = null;
  }

  /** @param {number} nowMs time of the frame; @returns {boolean} whether another frame is needed */
  step(nowMs) {
    if (!this.#to) return false;
    this.#startMs ??= nowMs;
    const share = this.calm.matches ? 1 : Math.min((nowMs - this.#startMs) / GLIDE_MS, 1);
    const eased = 1 - (1 - share) ** 3;
    const between = (a, b) => a + (b - a) * eased;
    const [from, to] = [this.#from, this.#to];
    if (share >= 1) this.#to = null;
    this.session.setView(between(from.startS, to.startS), between(from.endS, to.endS));
    return share < 1;
  }
}

/** Lets the view follow the playhead: by pages while it plays, at once after a seek. */
export class Following {
  #lastS = 0;

  constructor(session) {
    this.session = session;
    /** Whether somebody drags; the view then stays. */
    this.isHeld = false;
  }

  /** @param {boolean} isSeek whether somebody went there */
  moved(isSeek) {
    const { view, timeS } = this.session;
    const lastS = this.#lastS;
    this.#lastS = timeS;
    if (this.isHeld) return;
    const wasInView = lastS >= view.startS && lastS <= view.endS;
    if (isSeek || wasInView) this.bring(timeS);
  }

  /** Turns to the page that shows a time. */
  bring(timeS) {
    const { view, durationS } = this.session;
    const page = pageWith(view, timeS, durationS);
    if (page !== view) this.session.setView(page.startS, page.endS);
  }
}
