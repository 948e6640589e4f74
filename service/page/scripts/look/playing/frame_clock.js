/**
 * The video's own clock: the presentation time of the frame on screen, and steps of exactly one
 * frame. A nominal frame rate is only where the search for the next frame begins.
 */

/** Times are in whole microseconds; a seek aims this far behind a frame's time to hit that frame. */
const WITHIN_FRAME_S = 0.0002;
/** Distance of a seek to the present time, because a seek to that very time shows no frame. */
const BESIDE_S = 0.00001;
/** Longest wait for the frame of a seek. */
const PATIENCE_MS = 2000;
/** Attempts at finding the next frame; each looks twice as far. */
const MOST_ATTEMPTS = 12;

export class FrameClock {
  /** Next frame by the time of a frame; found once. @type {Map<number, number>} */
  #next = new Map();

  /** @param {HTMLVideoElement} video @param {(timeS: number) => void} onFrame each frame shown */
  constructor(video, onFrame) {
    this.video = video;
    /** Presentation time of the frame on screen, in seconds. */
    this.frameS = 0;
    this.isStepping = false;
    const shown = (_, { mediaTime }) => {
      this.frameS = mediaTime;
      if (!this.isStepping) onFrame(mediaTime);
      this.#request = video.requestVideoFrameCallback(shown);
    };
    this.#request = video.requestVideoFrameCallback(shown);
    video.addEventListener("seeking", () => { this.#isKnown = this.isStepping; });
    video.addEventListener("play", () => { this.#isKnown = false; });
  }

  #request;
  /** Whether `frameS` is surely the frame on screen: nobody has gone elsewhere since a step. */
  #isKnown = false;

  stop() {
    this.video.cancelVideoFrameCallback(this.#request);
  }

  /**
   * Shows the frame after the one on screen.
   * @param {number} usualS length of a usual frame
   * @returns {Promise<number>} its time; that of the frame on screen at the end of the video
   */
  async forward(usualS) {
    return this.#step(async (fromS) => {
      const knownS = this.#next.get(fromS);
      const nextS = knownS ?? await this.#search(fromS, usualS);
      this.#next.set(fromS, nextS);
      return nextS;
    });
  }

  /** Shows the frame before the one on screen. @returns {Promise<number>} its time */
  async back() {
    return this.#step(async (fromS) => {
      if (fromS <= 0) return fromS;
      const beforeS = await this.#frameAt(fromS - WITHIN_FRAME_S);
      if (beforeS < fromS) this.#next.set(beforeS, fromS);
      return beforeS;
    });
  }

  async #step(find) {
    if (this.isStepping) return this.frameS;
    this.isStepping = true;
    try {
      const fromS = this.#isKnown ? this.frameS : await this.#shownFrame();
      this.#isKnown = true;
      const foundS = await find(fromS);
      return await this.#frameAt(foundS + WITHIN_FRAME_S);
    } finally {
      this.isStepping = false;
    }
  }

  async #shownFrame() {
    await this.#rested();
    return this.#frameAt(this.video.currentTime);
  }

  /** Looks ahead until another frame comes, then back until none lies between. */
  async #search(fromS, usualS) {
    let aheadS = usualS;
    let foundS = fromS;
    for (let i = 0; i < MOST_ATTEMPTS && foundS <= fromS; i += 1) {
      if (fromS + aheadS / 2 > this.video.duration) return fromS;
      foundS = await this.#frameAt(fromS + aheadS + WITHIN_FRAME_S);
      aheadS *= 2;
    }
    for (let i = 0; i < MOST_ATTEMPTS; i += 1) {
      const beforeS = await this.#frameAt(foundS - WITHIN_FRAME_S);
      if (beforeS <= fromS || beforeS >= foundS) break;
      foundS = beforeS;
    }
    return foundS;
  }

  /**
   * Waits until the seeks of others are over. The frame of a seek is reported before or after the
   * end of that seek, so that the next frame reported need not be that of the newest seek.
   */
  async #rested() {
    do await nextPaint(); while (this.video.seeking);
    await nextPaint();
  }

  /** Seeks. @returns {Promise<number>} the time of the frame that is then on screen */
  #frameAt(timeS) {
    const { video } = this;
    return new Promise((resolve) => {
      const patience = setTimeout(() => finish(this.frameS), PATIENCE_MS);
      const request = video.requestVideoFrameCallback((_, { mediaTime }) => finish(mediaTime));
      const finish = (foundS) => {
        clearTimeout(patience);
        video.cancelVideoFrameCallback(request);
        this.frameS = foundS;
        resolve(foundS);
      };
      video.currentTime = this.#aim(timeS);
    });
  }

  /** Returns a time within the video that is not the present one. */
  #aim(timeS) {
    const endS = this.video.duration || Infinity;
    const aimS = Math.min(Math.max(timeS, 0), endS);
    if (aimS !== this.video.currentTime) return aimS;
    return aimS + BESIDE_S < endS ? aimS + BESIDE_S : aimS - BESIDE_S;
  }
}

/** Resolves once the page was painted. */
const nextPaint = () => new Promise(requestAnimationFrame);
