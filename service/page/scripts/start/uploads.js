/**
 * Videos on their way to the service. They go on while the person looks at another view, one after
 * the other, and end with the page.
 */

import { newId } from "../server/new_id.js";
import { isPassing } from "../server/problems.js";

const KEPT = "uploads";
const FACTS = "upload-facts";
const MOST_FACTS = 50;
const DEFAULT_PAUSE_S = 20;

/**
 * @typedef {Object} Upload
 * @property {string} id
 * @property {File} file
 * @property {string} name
 * @property {import("../server/api.js").Model} model
 * @property {"waiting"|"sending"|"pausing"|"stopped"|"refused"|"done"|"cancelled"} state -
 *   `pausing` while the service has no room; `stopped` can be tried again.
 * @property {number} sentBytes
 * @property {number} startedMs
 * @property {number} againS - Seconds to the next try, while `pausing`.
 * @property {import("../server/api.js").ApiError|null} error
 * @property {import("../server/api.js").Job|null} job
 */

/** All uploads of this page. Dispatches `change` for each step, `job` for each job that begins. */
class Uploads extends EventTarget {
  /** @type {Upload[]} */
  #all = [];
  #aborts = new Map();
  #isSending = false;

  /** Uploads that have no job yet, in their order. */
  get open() {
    return this.#all.filter((one) => !["done", "cancelled"].includes(one.state));
  }

  /** @returns {Upload|undefined} */
  find(id) {
    return this.#all.find((one) => one.id === id);
  }

  /** @returns {Upload|undefined} The upload that became a job. */
  ofJob(jobId) {
    return this.#all.find((one) => one.job?.id === jobId);
  }

  /**
   * Puts videos in line.
   *
   * @param {import("../server/api.js").Api} api
   * @param {File[]} files
   * @param {import("../server/api.js").Model} model
   * @returns {Upload[]}
   */
  add(api, files, model) {
    const added = files.map((file) => ({ id: newId(), file, name: file.name, model,
      state: "waiting", sentBytes: 0, startedMs: 0, againS: 0, error: null, job: null }));
    this.#all.push(...added);
    this.#changed();
    this.#sendAll(api);
    return added;
  }

  /** Tries a stopped upload again, or one that waits for room, at once. */
  retry(api, upload) {
    this.#set(upload, { state: "waiting", error: null, sentBytes: 0 });
    this.#sendAll(api);
  }

  /** Cancels an upload; the service then keeps nothing of it. */
  cancel(upload) {
    this.#set(upload, { state: "cancelled" });
    this.#aborts.get(upload.id)?.abort();
  }

  async #sendAll(api) {
    if (this.#isSending) return;
    this.#isSending = true;
    const next = () => this.#all.find((one) => one.state === "waiting");
    for (let one = next(); one; one = next()) await this.#send(api, one);
    this.#isSending = false;
  }

  async #send(api, upload) {
    const abort = new AbortController();
    this.#aborts.set(upload.id, abort);
    this.#set(upload, { state: "sending", startedMs: performance.now() });
    const onProgress = (sentBytes) => this.#set(upload, { sentBytes });
    try {
      const job = await api.upload(upload.file, upload.model,
        { key: upload.id, onProgress, signal: abort.signal });
      keepFacts(job.id, { bytes: upload.file.size,
        tookS: (performance.now() - upload.startedMs) / 1000 });
      this.#set(upload, { state: "done", sentBytes: upload.file.size, job });
      this.dispatchEvent(new Event("job"));
    } catch (error) {
      this.#fail(api, upload, error);
    }
  }

  #fail(api, upload, error) {
    if (upload.state === "cancelled") return;
    if (isPassing(error)) this.#pause(api, upload, error);
    else this.#set(upload, { state: error.status === 0 ? "stopped" : "refused", error });
  }

  #pause(api, upload, error) {
    this.#set(upload, { state: "pausing", error, againS: error.retryAfterS || DEFAULT_PAUSE_S });
    const timer = setInterval(() => {
      if (upload.state !== "pausing") clearInterval(timer);
      else if (upload.againS > 1) this.#set(upload, { againS: upload.againS - 1 });
      else this.retry(api, upload);
    }, 1000);
  }

  #set(upload, changes) {
    Object.assign(upload, changes);
    this.#changed();
  }

  #changed() {
    sessionStorage.setItem(KEPT, JSON.stringify(this.open.map(({ id, name, sentBytes, file }) =>
      ({ id, name, sentBytes, bytes: file.size }))));
    this.dispatchEvent(new Event("change"));
  }
}

export const uploads = new Uploads();

/**
 * Returns what was on its way when the page was reloaded, and forgets it: `{name, sentBytes,
 * bytes}`.
 */
export function takeLostUploads() {
  if (uploads.open.length) return [];
  const lost = JSON.parse(sessionStorage.getItem(KEPT) ?? "[]");
  sessionStorage.removeItem(KEPT);
  return lost;
}

/** Returns the size and time of the upload that became a job, in this tab, or null. */
export function factsOfUpload(jobId) {
  return allFacts()[jobId] ?? null;
}

function keepFacts(jobId, facts) {
  const kept = Object.entries(allFacts()).slice(1 - MOST_FACTS);
  sessionStorage.setItem(FACTS, JSON.stringify({ ...Object.fromEntries(kept), [jobId]: facts }));
}

function allFacts() {
  return JSON.parse(sessionStorage.getItem(FACTS) ?? "{}");
}

addEventListener("beforeunload", (event) => {
  if (uploads.open.some((one) => ["waiting", "sending", "pausing"].includes(one.state))) {
    event.preventDefault();
  }
});
