/** The player: the video, or stills of the server, or a sentence why there is neither. */

import { button, el, fill } from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { Caption } from "./playing/caption.js";
import { Controls } from "./playing/controls.js";
import { Picture } from "./playing/picture.js";
import { bindPlayerKeys } from "./playing/player_keys.js";
import { Stills } from "./playing/stills.js";

const CODECS = { hevc: "HEVC", h265: "HEVC", h264: "H.264", mpeg4: "MPEG-4 part 2", vp8: "VP8",
  vp9: "VP9", av1: "AV1", mjpeg: "Motion JPEG", prores: "ProRes", mpeg2video: "MPEG-2" };
const NO_VIDEO = "There is no video to show. Choose the video that belongs to these features.";
const GONE = "The service no longer has this video. Choose the file to see it here.";
const UNREADABLE = "This browser cannot play that file. Choose the video as MP4 or WebM.";

export class Player {
  #ownUrl = null;
  #renewed = false;

  /**
   * @param {HTMLElement} root
   * @param {import("../result/session.js").Session} session
   * @param {import("../server/api.js").Api} api
   */
  constructor(root, session, api) {
    Object.assign(this, { root, session, api, picture: null, isMuted: false });
    this.stills = new Stills(session, api);
    this.caption = new Caption(session);
    this.controls = new Controls(session, this);
    this.stage = el("div", { class: "stage" });
    root.classList.add("player");
    root.setAttribute("role", "region");
    root.setAttribute("aria-label", "Player");
    root.replaceChildren(el("h2", { class: "unseen" }, "Player"), this.stage, this.controls.node);
    this.#listen();
    this.#load();
  }

  #listen() {
    const { session } = this;
    const on = (types, does) => types.split(" ").map((type) => {
      session.addEventListener(type, does);
      return () => session.removeEventListener(type, does);
    });
    const ends = [
      ...on("time", ({ detail }) => this.#timed(detail.seek)),
      ...on("playing", () => { this.picture?.sync(); this.#updated(); }),
      ...on("selection segments compare mode", () => this.#updated()),
      ...on("video", () => this.#load()),
      bindPlayerKeys(this),
    ];
    this.destroy = () => {
      ends.forEach((end) => end());
      this.#unload();
      if (this.#ownUrl) URL.revokeObjectURL(this.#ownUrl);
    };
  }

  // What is on the stage.

  get isPlayable() {
    return this.session.isPlayable;
  }

  /** Whether the server shows what the browser cannot play. */
  get showsStills() {
    const { videoUrl, canPlay, job } = this.session;
    return Boolean(videoUrl) && !canPlay && job !== null && videoUrl !== this.#ownUrl;
  }

  /** Why the video does not play; a sentence. */
  get reason() {
    const { videoUrl, job } = this.session;
    if (!videoUrl) return job ? GONE : NO_VIDEO;
    return this.showsStills ? `This browser cannot play ${this.#kind}.` : UNREADABLE;
  }

  /** "HEVC video", or "this video" where the service does not know its codec. */
  get #kind() {
    const codec = this.session.job?.video?.codec;
    return codec ? `${CODECS[codec] ?? codec} video` : "this video";
  }

  #unload() {
    this.picture?.stop();
    this.stills.stop();
    this.picture = null;
  }

  #load() {
    this.#unload();
    if (this.isPlayable) {
      this.picture = new Picture(this.session, {
        onReady: () => { this.#renewed = false; this.#updated(); },
        onFail: () => this.#failed(),
      });
      this.picture.video.muted = this.isMuted;
      this.picture.video.addEventListener("click", () => this.toggle());
      fill(this.stage, this.picture.video, this.picture.frozen, this.caption.node);
    } else if (this.showsStills) {
      fill(this.stage, this.stills.node, this.#notice(), this.caption.node);
      this.stills.update();
    } else {
      fill(this.stage, this.#instead());
    }
    this.#updated();
  }

  /** The ticket in the address may be too old, so the first failure asks for another. */
  async #failed() {
    const { session, api } = this;
    const { job, videoUrl } = session;
    const renews = job && videoUrl !== this.#ownUrl && !this.#renewed;
    this.#renewed = true;
    const ticket = renews && await api.ticket(job.id).catch(() => null);
    if (session.videoUrl !== videoUrl) return;
    if (session.playing) session.pause();
    if (ticket) session.setVideo({ videoUrl: api.videoUrl(job.id, ticket), canPlay: true });
    else session.setVideo({ videoUrl, canPlay: false });
  }

  #notice() {
    const text = `This browser cannot play ${this.#kind}, so you see stills from the server. `
      + "Times and segments are exact.";
    return el("div", { class: "stage-notice" }, icon("film"), el("p", {}, text),
      el("a", { class: "button", href: this.session.videoUrl, download: this.session.name },
        "Download the video"));
  }

  #instead() {
    const field = el("input", { type: "file", accept: "video/*,.mkv,.avi", hidden: true,
      onchange: () => field.files[0] && this.#take(field.files[0]) });
    return el("div", { class: "stage-instead" }, el("span", { class: "disc" }, icon("film")),
      el("p", {}, this.reason), field,
      button("Choose the video", () => field.click(), { icon: "file" }));
  }

  #take(file) {
    if (this.#ownUrl) URL.revokeObjectURL(this.#ownUrl);
    this.#ownUrl = URL.createObjectURL(file);
    this.session.setVideo({ videoUrl: this.#ownUrl, canPlay: true });
  }

  // What happens.

  #timed(isSeek) {
    if (isSeek) this.picture?.seek();
    if (this.showsStills) this.stills.update();
    this.caption.update();
    this.controls.showTime();
    this.controls.showNote();
  }

  #updated() {
    this.caption.update();
    this.controls.update();
    this.controls.showTime();
    this.controls.showNote();
  }

  // What buttons and keys do.

  get hasSound() {
    return this.picture !== null && this.picture.hasSound;
  }

  /** Seconds between stills. */
  get stepS() {
    return this.stills.stepS;
  }

  setStep(stepS) {
    this.stills.setStep(stepS);
  }

  toggle() {
    if (!this.isPlayable) return;
    if (this.session.playing) this.session.pause();
    else this.session.play();
  }

  /** Loops the selected segment, or stops that. */
  toggleLoop() {
    if (this.session.selected || this.session.looping) this.session.setLooping(!this.session.looping);
  }

  toggleSound() {
    this.isMuted = !this.isMuted;
    if (this.picture) this.picture.video.muted = this.isMuted;
    this.#updated();
  }

  toggleFull() {
    if (document.fullscreenElement) document.exitFullscreen();
    else this.root.requestFullscreen();
  }

  /** One frame, or one still, on (1) or back (-1). */
  async step(by) {
    if (this.showsStills) this.stills.step(by);
    else await this.picture?.step(by);
  }
}

/**
 * Fills `root` with the player of a session.
 * @returns {Player} `destroy()` ends it
 */
export function mountPlayer(root, session, api) {
  return new Player(root, session, api);
}
