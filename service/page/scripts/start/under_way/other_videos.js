/** The other videos under way, each with a button that cancels it. */

import { isFinal } from "../../server/api.js";
import { button, cutInTheMiddle, el, fill, refill } from "../../parts/elements.js";
import { roughly } from "../../parts/format.js";
import { icon } from "../../parts/icons.js";
import { hashOf } from "../../router.js";
import { inLine, inPercent, meter, nameOfJob, shareOf, uploadFacts } from "../rows.js";
import { thumbnail } from "../thumbnails.js";
import { uploads } from "../uploads.js";
import { confirmedCancel } from "./cancelling.js";

const PAUSE_MS = 3000;
const MOST_SHOWN = 6;

/** The card "Also under way"; hidden while there is no other. */
export class OtherVideos {
  #api;
  #signal;
  #isThis;
  #jobs = [];
  #count = el("span", { class: "quiet" });
  #list = el("ul", {});
  element = el("section",
    { class: "card recent under-way", ariaLabel: "Also under way", hidden: true },
    el("div", { class: "card-head" }, el("h2", {}, "Also under way"), this.#count), this.#list);

  /**
   * @param {import("../../server/api.js").Api} api
   * @param {AbortSignal} signal
   * @param {(id: string) => boolean} isThis - Whether an upload or a job is the one that is shown.
   */
  constructor(api, signal, isThis) {
    this.#api = api;
    this.#signal = signal;
    this.#isThis = isThis;
    uploads.addEventListener("change", () => this.#paint(), { signal });
    this.#load();
  }

  async #load() {
    if (this.#signal.aborted) return;
    try {
      this.#jobs = (await this.#api.jobs({ limit: 20 })).jobs.filter((job) => !isFinal(job));
      this.#paint();
    } catch {
      // The job that is shown reports what is wrong with the service.
    }
    if (!this.#signal.aborted) setTimeout(() => this.#load(), PAUSE_MS);
  }

  #paint() {
    const queued = this.#jobs.filter((job) => job.state === "queued").toReversed();
    const rows = [
      ...uploads.open.filter(({ id }) => !this.#isThis(id)).map((upload) => this.#ofUpload(upload)),
      ...this.#jobs.filter(({ id }) => !this.#isThis(id)).map((job) =>
        this.#ofJob(job, queued.indexOf(job))),
    ];
    this.element.hidden = !rows.length;
    fill(this.#count, rows.length);
    refill(this.#list, rows.slice(0, MOST_SHOWN).map((row) => el("li", {}, row)));
  }

  #ofUpload(upload) {
    const share = upload.state === "sending" ? upload.sentBytes / upload.file.size : null;
    return rowOf({ name: upload.name, href: hashOf("upload", upload.id),
      still: el("span", { class: "thumbnail" }, icon("film")),
      facts: uploadFacts(upload), share, cancel: () => uploads.cancel(upload) });
  }

  #ofJob(job, ahead) {
    const share = shareOf(job);
    const leftS = job.progress?.seconds_left;
    const facts = job.state === "queued" ? `Waiting · ${inLine(ahead).toLowerCase()}`
      : ["Reading", share !== null && inPercent(share),
        leftS != null && `about ${roughly(leftS)} left`]
        .filter(Boolean).join(" · ");
    const cancel = async () => { if (await confirmedCancel(this.#api, job)) this.#load(); };
    return rowOf({ name: nameOfJob(job), href: hashOf("job", job.id), facts, cancel,
      still: thumbnail(this.#api, job.state === "queued" ? null : job),
      share: job.state === "queued" ? null : share });
  }
}

function rowOf({ name, href, still, facts, share, cancel }) {
  return el("div", { class: "row" }, still,
    el("div", { class: "text" }, el("a", { href }, cutInTheMiddle(name, { class: "name" })),
      el("p", { class: "small quiet ends" }, facts), share !== null && meter(share, name)),
    button(`Cancel ${name}`, cancel, { icon: "close", only: true, class: "plain" }));
}
