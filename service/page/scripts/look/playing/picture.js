/** The video element: plays what the session says, and reports the frames that it shows. */

import { el } from "../../parts/elements.js";
import { FrameClock } from "./frame_clock.js";

export class Picture {
  #sought = -Infinity;
  #watching = 0;

  /**
   * @param {import("../../result/session.js").Session} session
   * @param {{onReady: () => void, onFail: () => void}} player
   */
  constructor(session, { onReady, onFail }) {
    this.session = session;
    this.frozen = el("canvas", { class: "frozen", hidden: true, ariaHidden: "true" });
    this.video = el("video", { playsInline: true, preload: "auto", tabIndex: -1,
      disablePictureInPicture: true, ariaLabel: "Video" });
    this.clock = new FrameClock(this.video, (timeS) => this.#shown(timeS));
    const on = (type, does) => this.video.addEventListener(type, does);
    on("loadedmetadata", () => (this.video.videoWidth ? this.seek() : onFail()));
    on("loadeddata", onReady);
    on("canplay", onReady);  // a seek in between takes the data away again
    on("error", onFail);
    on("ended", () => this.#ended());
    on("pause", () => !this.video.ended && session.playing && session.pause());
    on("play", () => !session.playing && session.play());
    this.video.src = session.videoUrl;
    this.sync();
  }

  /** Whether the video has sound; assumed until the browser knows. */
  get hasSound() {
    const { video } = this;
    if (video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return true;
    if (video.mozHasAudio !== undefined) return video.mozHasAudio;
    if (video.audioTracks) return video.audioTracks.length > 0;
    return video.webkitAudioDecodedByteCount !== 0;
  }

  /** Goes to the session's time. */
  seek() {
    const { timeS, playing } = this.session;
    this.#sought = timeS;
    this.video.currentTime = timeS;
    if (playing && this.video.paused) this.sync();
  }

  /** Plays or pauses, at the session's speed. */
  sync() {
    const { video, session } = this;
    video.playbackRate = session.speed;
    if (session.playing && video.paused) {
      video.play().catch(() => session.playing && video.paused && session.pause());
      this.#watch();
    } else if (!session.playing && !video.paused) {
      video.pause();
    }
  }

  /** Looks at the clock in each frame of the screen, because a frame of the video may be long. */
  #watch() {
    cancelAnimationFrame(this.#watching);
    const { session, video } = this;
    if (!session.playing) return;
    const isOver = session.playUntilS !== null && video.currentTime >= session.playUntilS;
    if (isOver && !video.seeking) session.advance(video.currentTime);
    this.#watching = requestAnimationFrame(() => this.#watch());
  }

  /** A frame begins before the time that somebody went to; the session keeps that time. */
  #shown(frameS) {
    const { session, video } = this;
    if (!session.playing || video.seeking) return;
    session.advance(Math.max(frameS, this.#sought));
    if (frameS >= this.#sought) this.#sought = -Infinity;
  }

  #ended() {
    const { session } = this;
    if (session.playing && session.playUntilS !== null) return session.advance(session.playUntilS);
    session.advance(session.durationS);
    return session.pause();
  }

  /** Goes one frame on (1) or back (-1); the search in between is not seen. */
  async step(by) {
    const { session, clock } = this;
    if (session.playing) session.pause();
    if (clock.isStepping || this.video.readyState < HTMLMediaElement.HAVE_METADATA) return;
    this.#freeze();
    const timeS = await (by > 0 ? clock.forward(session.frameS) : clock.back());
    this.frozen.hidden = true;
    this.#sought = timeS;
    session.advance(timeS);
  }

  #freeze() {
    const { videoWidth, videoHeight } = this.video;
    Object.assign(this.frozen, { width: videoWidth, height: videoHeight, hidden: false });
    this.frozen.getContext("2d").drawImage(this.video, 0, 0, videoWidth, videoHeight);
  }

  stop() {
    cancelAnimationFrame(this.#watching);
    this.clock.stop();
    this.video.removeAttribute("src");
    this.video.load();
  }
}
