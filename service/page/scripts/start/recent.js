/** The list of recent jobs: it shows uploads on their way, follows open jobs, survives a reload. */

import { isFinal } from "../server/api.js";
import { serviceChanges } from "../server/banner.js";
import { button, el, fill, refill } from "../parts/elements.js";
import { counted } from "../parts/format.js";
import { notify } from "../parts/notices.js";
import { errorMessage, sentenceOf } from "../server/problems.js";
import { keptFeatures, setKeptFeatures } from "./kept_features.js";
import { featuresRow, jobRow, uploadRow } from "./rows.js";
import { uploads } from "./uploads.js";

const CLEARED = "cleared-jobs";
const PAGE = 20;
const MOST = 100;
const PAUSE_OPEN_MS = 2000;
const PAUSE_MS = 10_000;

/** The card of recent jobs. */
export class Recent {
  #api;
  #signal;
  #model = null;
  #jobs = [];
  #hasMore = false;
  #limit = PAGE;
  #timer = 0;
  #isLoaded = false;
  /** @type {Map<string, {item: HTMLElement, shown: string}>} */
  #rows = new Map();
  #list = el("ul", {});
  #foot = el("div", { class: "end" });
  #clear = button("Clear finished", () => this.#clearFinished(), { class: "plain rest" });
  element = el("section", { class: "card recent", ariaLabel: "Recent" },
    el("div", { class: "card-head" }, el("h2", {}, "Recent"), this.#clear), this.#list, this.#foot);

  /**
   * @param {import("../server/api.js").Api} api
   * @param {AbortSignal} signal
   */
  constructor(api, signal) {
    this.#api = api;
    this.#signal = signal;
    uploads.addEventListener("change", () => this.#paint(), { signal });
    uploads.addEventListener("job", () => this.load(), { signal });
    serviceChanges.addEventListener("back", () => this.load(), { signal });
    signal.addEventListener("abort", () => clearTimeout(this.#timer));
  }

  /** Says which model is chosen; rows name the version of another one. */
  setModel(model) {
    this.#model = model;
    this.#paint();
  }

  /** Loads the list, now and again in a while: soon, if jobs are open. */
  async load() {
    clearTimeout(this.#timer);
    try {
      const { jobs, next } = await this.#api.jobs({ limit: this.#limit });
      this.#jobs = withPlaces(jobs);
      this.#hasMore = next != null && this.#limit < MOST;
      this.#isLoaded = true;
      this.#paint();
    } catch (error) {
      this.#isLoaded = true;
      if (error.type === "videos-not-served") this.#paint();
      else if (error.type !== "unreachable") fill(this.#foot, errorMessage(error));
    }
    const isOpen = this.#jobs.some((job) => !isFinal(job));
    clearTimeout(this.#timer);
    if (!this.#signal.aborted) {
      this.#timer = setTimeout(() => this.load(), isOpen ? PAUSE_OPEN_MS : PAUSE_MS);
    }
  }

  #paint() {
    if (!this.#isLoaded) return;
    const rows = [...uploads.open.toReversed().map((upload) => this.#ofUpload(upload)),
      ...this.#ofService()];
    const wanted = new Set(rows.map(({ key }) => key));
    for (const [key, { item }] of this.#rows) if (!wanted.has(key)) this.#drop(key, item);
    rows.forEach((row, place) => this.#put(row, place));
    this.#clear.hidden = !this.#finished().length;
    fill(this.#foot,
      !rows.length && el("p", { class: "quiet nothing" },
        "Nothing yet. Jobs appear here and survive a reload."),
      this.#hasMore && button("Older jobs", () => { this.#limit += PAGE; this.load(); },
        { class: "plain" }));
  }

  #ofService() {
    const cleared = clearedIds();
    const jobs = this.#jobs.filter((job) => !cleared.has(job.id)).map((job) => ({ key: job.id,
      created: job.created, shows: { ...job, for: this.#model?.version },
      build: () => jobRow(job, { api: this.#api, model: this.#model,
        again: (failed) => this.#again(failed), remove: (failed) => this.#hide([failed.id]) }) }));
    const features = keptFeatures().map((one) => ({ key: one.id, created: one.created,
      shows: { ...one, for: this.#model?.version }, build: () => featuresRow(one, this.#model) }));
    return [...jobs, ...features].sort((a, b) => new Date(b.created) - new Date(a.created));
  }

  #ofUpload(upload) {
    const does = { retry: () => uploads.retry(this.#api, upload),
      cancel: () => uploads.cancel(upload) };
    const { state, sentBytes, againS } = upload;
    return { key: upload.id, shows: { state, sentBytes, againS },
      build: () => uploadRow(upload, does) };
  }

  /**
   * Shows a row at its place; builds it again only if it changed, because it may have the focus.
   */
  #put({ key, shows, build }, place) {
    const shown = JSON.stringify(shows);
    let row = this.#rows.get(key);
    if (!row) this.#rows.set(key, row = { item: el("li", {}), shown: "" });
    if (row.shown !== shown) refill(row.item, build());
    row.shown = shown;
    if (this.#list.children[place] !== row.item) {
      this.#list.insertBefore(row.item, this.#list.children[place] ?? null);
    }
  }

  #drop(key, item) {
    item.remove();
    this.#rows.delete(key);
  }

  async #again(job) {
    try {
      await this.#api.submitAgain(job.id, job.model);
      this.#hide([job.id]);
      await this.load();
    } catch (error) {
      const isGone = error.type === "video-gone";
      notify(isGone ? `The service no longer has ${job.name}. Choose the file again.`
        : sentenceOf(error),
        { kind: "error" });
    }
  }

  #finished() {
    const cleared = clearedIds();
    return [...this.#jobs.filter((job) => isFinal(job) && !cleared.has(job.id)), ...keptFeatures()];
  }

  #clearFinished() {
    const [finished, features, cleared] = [this.#finished(), keptFeatures(), clearedIds()];
    setKeptFeatures([]);
    this.#hide(finished.map(({ id }) => id));
    const undo = () => {
      setKeptFeatures(features);
      localStorage.setItem(CLEARED, JSON.stringify([...cleared]));
      this.#paint();
    };
    notify(`Cleared ${counted(finished.length, "job")} from this list.`,
      { action: { text: "Undo", does: undo } });
  }

  /** Hides jobs in this browser; the service forgets them after a while by itself. */
  #hide(ids) {
    const listed = new Set(this.#jobs.map(({ id }) => id));
    const kept = [...clearedIds(), ...ids].filter((id) => listed.has(id));
    localStorage.setItem(CLEARED, JSON.stringify(kept));
    this.#paint();
  }
}

function clearedIds() {
  return new Set(JSON.parse(localStorage.getItem(CLEARED) ?? "[]"));
}

/** Adds to each queued job how many are before it; jobs come newest first. */
function withPlaces(jobs) {
  let ahead = 0;
  return jobs.toReversed().map((job) =>
    (job.state === "queued" ? { ...job, ahead: ahead++ } : job)).toReversed();
}
