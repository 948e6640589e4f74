/** The view of a video under way: its upload and its job, until there is a result or an error. */

import { ApiError, isFinal } from "../../server/api.js";
import { button, el, fill } from "../../parts/elements.js";
import { clock } from "../../parts/format.js";
import { showHeader } from "../../parts/header.js";
import { announce, notify } from "../../parts/notices.js";
import { errorMessage, factsOf, message, sentenceOf } from "../../server/problems.js";
import { navigate } from "../../router.js";
import { nameOf } from "../models.js";
import { nameOfJob, shareOf, uploadFacts } from "../rows.js";
import { factsOfUpload, uploads } from "../uploads.js";
import { cancelled, confirmedCancel, isSureToCancel } from "./cancelling.js";
import { ReadSoFar } from "./read_so_far.js";
import { headingOf, paintSteps, stepsOf } from "./steps.js";
import { OtherVideos } from "./other_videos.js";
import { Watching } from "./watching.js";

const GOES_ON = "You can close or reload this page. The job goes on.";
const STAY = "Keep this page open until the upload has ended.";

/** The view; first of an upload, then of its job, with the player going on. */
export class Working {
  #root;
  #api;
  #signal;
  #durationS = 0;
  #upload = null;
  #job = null;
  #followedMs = 0;
  #waitedS = null;
  #spoken = 0;
  /** Time and count of the first snippets that were seen. */
  #firstRead = null;
  #heading = el("h1", { class: "working-heading" });
  #note = el("p", { class: "quiet" });
  #steps = el("ol", { class: "steps" });
  #panel = el("section", { class: "card progress-card", ariaLabel: "Progress" });
  #foot = el("div", { class: "small quiet foot" });
  #watching;
  #readSoFar;

  constructor(root, api, signal) {
    this.#root = root;
    this.#api = api;
    this.#signal = signal;
    this.#watching = new Watching(api, signal, (durationS) => this.#setLength(durationS));
    this.#readSoFar = new ReadSoFar(api);
    const others = new OtherVideos(api, signal,
      (id) => id === this.#upload?.id || id === this.#job?.id);
    root.classList.add("working");
    fill(root, el("div", { class: "watch" }, this.#watching.element, this.#readSoFar.element),
      el("div", { class: "side" }, this.#panel, others.element, this.#foot));
  }

  /**
   * Shows an upload to its end.
   *
   * @param {import("../uploads.js").Upload} upload
   * @returns {Promise<import("../../server/api.js").Job|null>} Its job; null if it was cancelled
   *   or left.
   */
  upload(upload) {
    this.#upload = upload;
    this.#watching.openFile(upload.file, upload.model);
    this.#showHeader();
    this.#layProgress(() => this.#cancelUpload());
    return new Promise((done) => {
      const step = () => {
        if (this.#signal.aborted || upload.state === "cancelled") done(null);
        else if (upload.state === "done") done(upload.job);
        else this.#paintUpload();
      };
      uploads.addEventListener("change", step, { signal: this.#signal });
      step();
    });
  }

  /**
   * Shows a job to its end.
   *
   * @returns {Promise<import("../../server/api.js").Job>} Its last state, or that when the view
   *   was left.
   */
  async follow(job) {
    this.#upload = null;
    this.#job = job;
    this.#followedMs = performance.now();
    this.#showHeader();
    this.#paintFoot();
    if (!isFinal(job)) {
      this.#layProgress(() => this.#cancelJob());
      const ticking = setInterval(() => this.#paintJob(), 1000);
      this.#signal.addEventListener("abort", () => clearInterval(ticking));
      this.#paintJob();
      for await (const state of this.#api.follow(job.id, this.#signal)) this.#take(state);
      clearInterval(ticking);
    }
    if (!this.#signal.aborted && this.#job.state !== "done") this.#paintEnd();
    return this.#job;
  }

  #take(job) {
    if (this.#job.state === "queued" && job.state === "running") {
      this.#waitedS = (performance.now() - this.#followedMs) / 1000;
    }
    this.#job = job;
    this.#watching.openJob(job).catch(() => {});
    if (job.video?.duration_s) this.#setLength(job.video.duration_s);
    const { snippets_done: done } = job.progress;
    if (done) this.#firstRead ??= { ms: performance.now(), done };
    if (!isFinal(job)) this.#paintJob();
    this.#speak();
  }

  #setLength(durationS) {
    if (durationS === this.#durationS || !Number.isFinite(durationS)) return;
    this.#durationS = durationS;
    this.#showHeader();
  }

  #showHeader() {
    const model = this.#upload?.model ?? this.#job?.model;
    const title = this.#upload?.name ?? nameOfJob(this.#job);
    showHeader({ title, subtitle: this.#durationS ? clock(this.#durationS) : "",
      actions: [model && el("span", { class: "wide" }, el("span", { class: "quiet" }, "Model "),
        el("span", { class: "strong" }, nameOf(model)))] });
  }

  #layProgress(cancel) {
    fill(this.#panel, el("div", { class: "progress-head" }, this.#heading, this.#note), this.#steps,
      el("div", { class: "progress-foot" },
        button("Cancel this job", cancel, { icon: "close" }),
        button("Bring in another", () => navigate("start"), { icon: "add", class: "plain" })));
  }

  #progress() {
    const now = performance.now();
    const readS = this.#firstRead ? (now - this.#firstRead.ms) / 1000 : 0;
    const read = this.#firstRead ? this.#job.progress.snippets_done - this.#firstRead.done : 0;
    return { upload: this.#upload, job: this.#job, waitedS: this.#waitedS,
      facts: this.#job && factsOfUpload(this.#job.id), followedS: (now - this.#followedMs) / 1000,
      rate: readS > 1 && read > 0 ? read / readS : null };
  }

  #paintUpload() {
    const { state, error } = this.#upload;
    if (state === "refused" || state === "stopped") return this.#paintRefusal();
    if (state === "pausing") return this.#paintBusy(error);
    if (!this.#heading.isConnected) this.#layProgress(() => this.#cancelUpload());
    this.#paint(STAY);
  }

  #paintJob() {
    this.#paint(GOES_ON);
    this.#readSoFar.show(this.#job, this.#durationS);
  }

  #paint(note) {
    const progress = this.#progress();
    this.#heading.textContent = headingOf(progress);
    this.#note.textContent = note;
    paintSteps(this.#steps, stepsOf(progress));
  }

  #paintRefusal() {
    const { state, error, name } = this.#upload;
    const again = state === "stopped"
      ? button("Try again", () => uploads.retry(this.#api, this.#upload), { class: "primary" })
      : button("Choose another file", () => this.#leaveUpload(), { class: "primary" });
    const title = state === "stopped" ? "The upload stopped" : `${name} was not taken`;
    const shown = state === "stopped" ? message("red", title, uploadFacts(this.#upload))
      : errorMessage(error, { title });
    this.#paintInstead(shown, again,
      state === "stopped" && button("Cancel", () => this.#leaveUpload(), { class: "plain" }));
  }

  #paintBusy(error) {
    const { type, detail } = error;
    const text = `${sentenceOf({ type, detail, retryAfterS: this.#upload.againS })} `
      + "Your video waits here and is sent as soon as there is room.";
    this.#paintInstead(message("amber", "The service is busy", text),
      button("Try now", () => uploads.retry(this.#api, this.#upload)),
      button("Cancel", () => this.#leaveUpload(), { class: "plain" }));
  }

  /** Shows why a job has no result. */
  #paintEnd() {
    const { state, error } = this.#job;
    const shown = state === "failed"
      ? errorMessage(new ApiError(error), { title: `${nameOfJob(this.#job)} was not localized` })
      : message("amber", "This job was cancelled",
        "What was read is kept. The same video goes on from there.");
    this.#paintInstead(shown, button("Try again", () => this.#again(), {}),
      button("Bring in another", () => navigate("start"), { icon: "add", class: "plain" }));
  }

  #paintInstead(shown, ...actions) {
    fill(this.#panel, el("h1", { class: "unseen" }, this.#upload?.name ?? nameOfJob(this.#job)),
      shown,
      el("div", { class: "progress-foot" }, ...actions));
  }

  #paintFoot() {
    const { id, created, model, video } = this.#job;
    const started = new Date(created).toLocaleTimeString("en-GB");
    const size = video?.width && `${video.codec ?? "video"}, ${video.width} × ${video.height}`;
    fill(this.#foot, el("p", {}, `Job ${id.slice(0, 8)} · started ${started}`),
      factsOf([["Job", id], ["Model", model && nameOf(model)], ["Video", size]]));
  }

  async #again() {
    try {
      const job = await this.#api.submitAgain(this.#job.id, this.#job.model);
      navigate("job", job.id);
    } catch (error) {
      const isGone = ["video-gone", "unusable-input"].includes(error.type);
      notify(isGone ? "The service no longer has this video. Choose the file again."
        : sentenceOf(error),
        { kind: "error" });
    }
  }

  async #cancelJob() {
    if (await confirmedCancel(this.#api, this.#job) && !this.#signal.aborted) navigate("start");
  }

  /** Cancels the upload after the question, or the job that it became in the meantime. */
  async #cancelUpload() {
    const upload = this.#upload;
    const isSure = await isSureToCancel("Nothing of it is kept, because it has not arrived.");
    if (!isSure || this.#signal.aborted) return;
    if (!upload.job) this.#leaveUpload(upload);
    else if (await cancelled(this.#api, upload.job) && !this.#signal.aborted) navigate("start");
  }

  #leaveUpload(upload = this.#upload) {
    uploads.cancel(upload);
    navigate("start");
  }

  /** Speaks the progress each 10 %, and the end. */
  #speak() {
    const share = shareOf(this.#job) ?? 0;
    const tenths = Math.floor(10 * share);
    if (this.#job.state === "running" && tenths > this.#spoken) announce(`${10 * tenths} % read`);
    this.#spoken = tenths;
  }
}
