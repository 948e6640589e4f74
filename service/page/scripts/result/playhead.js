/**
 * Time of the frame on screen, and how the video plays: the part of a session that the player moves.
 *
 * Events: `time` (`detail.seek` is true where the player has to go there), and `playing` for
 * `playing`, `speed`, `looping` and `playUntilS`.
 */

/** Speeds from the slowest to the fastest. */
export const SPEEDS = [0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 4, 8, 16];

/** Frames a second that are assumed where the rate is unknown. */
const USUAL_RATE = 25;

export class Playhead extends EventTarget {
  #playFromS = 0;

  /** @param {{durationS: number, frameRate: number|null}} video */
  constructor({ durationS, frameRate }) {
    super();
    Object.assign(this, { durationS, frameRate, timeS: 0, playing: false, speed: 1 });
    /** Whether a played span begins again at its end. */
    this.looping = false;
    /** Time at which playing stops; null for the end of the video. */
    this.playUntilS = null;
  }

  /** Dispatches an event; for this class and its subclass only. */
  tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** Length of a frame in seconds. */
  get frameS() {
    return 1 / (this.frameRate || USUAL_RATE);
  }

  /** Goes to a time; a span that was played is forgotten. */
  seek(timeS) {
    this.#goTo(timeS);
    this.#stopAt(null);
  }

  #goTo(timeS) {
    this.timeS = Math.min(Math.max(timeS, 0), this.durationS);
    this.tell("time", { seek: true });
  }

  #stopAt(timeS) {
    if (this.playUntilS === timeS) return;
    this.playUntilS = timeS;
    this.tell("playing");
  }

  /** Takes the time of the frame on screen. At the end of a span, playing stops or begins again. */
  advance(timeS) {
    this.timeS = Math.min(Math.max(timeS, 0), this.durationS);
    const endS = this.playUntilS;
    const isOver = this.playing && endS !== null && this.timeS >= endS;
    if (!isOver) return this.tell("time", { seek: false });
    if (this.looping) return this.#goTo(this.#playFromS);
    this.pause();
    return this.#goTo(endS);
  }

  play() {
    if (this.timeS >= this.durationS) this.seek(0);
    this.playing = true;
    this.tell("playing");
  }

  pause() {
    Object.assign(this, { playing: false, playUntilS: null });
    this.tell("playing");
  }

  /** Plays from one time to another, and stops or loops there. */
  playSpan(startS, endS) {
    this.#goTo(startS);
    this.limitTo(startS, endS);
    this.play();
  }

  /** Lets what plays end, or loop, at the end of a span. */
  limitTo(startS, endS) {
    this.#playFromS = startS;
    this.#stopAt(endS);
  }

  setSpeed(speed) {
    this.speed = Math.min(Math.max(speed, SPEEDS[0]), SPEEDS.at(-1));
    this.tell("playing");
  }

  /** Takes the next faster (step 1) or slower (step -1) speed. */
  changeSpeed(step) {
    const others = SPEEDS.filter((one) => (one - this.speed) * step > 0);
    if (others.length) this.setSpeed(step > 0 ? others[0] : others.at(-1));
  }

  setLooping(looping) {
    this.looping = looping;
    this.tell("playing");
  }
}
