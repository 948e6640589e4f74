/** Every call to the service. */

import { ApiError } from "./api_error.js";
import { Connection, address } from "./connection.js";
import { eventsOf } from "./event_stream.js";
import { newId } from "./new_id.js";
import { readNpy } from "./npy.js";

export { ApiError };

/**
 * @typedef {{name: string, version: number}} Model
 * @typedef {{label: string, start_s: number, end_s: number, score: number}} Segment
 * @typedef {{class_threshold?: number, min_score?: number, nms_iou?: number,
 *   max_segments?: number}} Options
 * @typedef {{snippets_done: number, snippets_expected?: number, seconds_left?: number}} Progress
 * @typedef {{model: Model, duration_s: number, snippets: number, truncated: boolean,
 *   classes: {label: string, score: number}[], segments: Segment[], familiarity: number|null,
 *   notes: string[], timing_ms: Object<string, number>, activation: string|null}} Localization
 * @typedef {{type: string, title: string, status: number, detail: string}} Problem
 * @typedef {{available: boolean, media_type?: string, duration_s?: number, frame_rate?: number,
 *   width?: number, height?: number, codec?: string}} Video
 * @typedef {{id: string, state: "queued"|"running"|"done"|"failed"|"cancelled", created: string,
 *   progress: Progress, result?: Localization, error?: Problem, name?: string, model?: Model,
 *   ahead?: number, video?: Video}} Job
 * @typedef {{id: string, state: string, created: string, model?: Model, name?: string,
 *   duration_s?: number, segments?: number, detail?: string, progress?: Progress}} JobSummary
 * @typedef {{version: string, limits: {max_video_bytes: number, max_body_bytes: number,
 *   max_segments: number, max_snippets: number, max_video_s: number}, keep_jobs_s: number,
 *   videos: boolean, roots: boolean, uris: string[], hosts?: string[], clips: boolean,
 *   corrections: boolean, example: {job_id: string}|null}} Capabilities
 * @typedef {{snippets: number, classes: number, values: Float32Array, snippetS: number,
 *   firstS: number}} Activation
 * @typedef {{name: string, version: number, state: string, error?: string, classes?: number,
 *   extractor?: string}} ModelSummary
 */

const FINAL = ["done", "failed", "cancelled"];

/** Returns whether a job has ended. */
export function isFinal(job) {
  return FINAL.includes(job.state);
}

/** The service, with the key of this tab. Every method throws `ApiError`. */
export class Api {
  #service;

  /** @param {ConstructorParameters<typeof Connection>[0]} page */
  constructor(page) {
    this.#service = new Connection(page);
  }

  /** @returns {Promise<Capabilities>} Version, limits, and what this service offers. */
  capabilities() { return this.#service.json("page/capabilities"); }

  /** @returns {Promise<boolean>} Whether the service answers. */
  async isThere() {
    try {
      return (await fetch(address("health/live"), { cache: "no-store" })).ok;
    } catch {
      return false;
    }
  }

  /** @returns {Promise<ModelSummary[]>} Every version of every model. */
  async models() { return (await this.#service.json("models")).models; }

  /**
   * @returns {Promise<ModelSummary & {spec: Object|null}>} One version with labels and defaults.
   */
  model({ name, version }) {
    return this.#service.json(`models/${encodeURIComponent(name)}/versions/${version}`);
  }

  /**
   * @returns {Promise<{path: string, entries: Object[], truncated: boolean}>} Files of the server.
   */
  files(path = "") { return this.#service.json("files", { query: { path } }); }

  /** @returns {Promise<{jobs: JobSummary[], next?: string}>} A page of jobs, newest first. */
  jobs({ limit = 20, after } = {}) {
    return this.#service.json("jobs", { query: { limit, after } });
  }

  /** @returns {Promise<Job>} */
  job(id) { return this.#service.json(jobPath(id)); }

  /** @returns {Promise<Job>} The job, which stops after its current chunk. */
  cancel(id) { return this.#service.json(jobPath(id), { method: "DELETE" }); }

  /** @returns {Promise<Job>} A job on a video that the service fetches or finds by its URI. */
  submitUri(uri, model, key = newId()) {
    const json = { video: { uri }, ...versionOf(model) };
    return this.#service.json("jobs", { method: "POST", json,
      headers: { "Idempotency-Key": key } });
  }

  /** @returns {Promise<Job>} A job on the video of another job, with any model. */
  submitAgain(jobId, model) {
    return this.#service.json("jobs",
      { method: "POST", json: { video: { job_id: jobId } }, query: versionOf(model) });
  }

  /**
   * Uploads a video.
   *
   * @param {File} file
   * @param {Model} model
   * @param {{key: string, onProgress?: (sentBytes: number) => void, signal?: AbortSignal}} options -
   *   `key` is new for each video; a repeated one finds the job that exists.
   * @returns {Promise<Job>}
   */
  upload(file, model, { key, onProgress = () => {}, signal }) {
    const headers = { "Content-Type": file.type.startsWith("video/") ? file.type : "video/mp4",
      "X-File-Name": encodeURIComponent(file.name), "Idempotency-Key": key };
    return this.#service.send("jobs", file,
      { query: versionOf(model), headers, onProgress, signal });
  }

  /**
   * Localizes features.
   *
   * @param {Blob} file - An .npy file.
   * @param {Model} model
   * @param {Options & {duration_s?: number}} [options]
   * @returns {Promise<Localization>}
   */
  localizeFeatures(file, model, options = {}) {
    return this.#service.json("localize", { method: "POST", body: file,
      query: { ...versionOf(model), include: "activation", ...options },
      headers: { "Content-Type": "application/x-npy" } });
  }

  /**
   * Follows a job to its end, over restarts of the service.
   *
   * @param {string} id
   * @param {AbortSignal} [signal]
   * @returns {AsyncGenerator<Job>} Each change; ends with a final state.
   */
  async* follow(id, signal) {
    for (;;) {
      try {
        const answer = await this.#service.call(`${jobPath(id)}/events`, { signal });
        for await (const data of eventsOf(answer.body)) {
          const job = JSON.parse(data);
          yield job;
          if (isFinal(job)) return;
        }
      } catch (error) {
        if (signal?.aborted) return;
        if (error instanceof ApiError && ![0, 502, 503, 504].includes(error.status)) throw error;
      }
      if (signal?.aborted) return;
      await pause(1000);
    }
  }

  /** @returns {Promise<Activation>} The class activation sequence as localization thresholds it. */
  async activation(id) {
    const answer = await this.#service.call(`activations/${encodeURIComponent(id)}`);
    const { shape: [snippets, classes], values } = readNpy(await answer.arrayBuffer());
    return { snippets, classes, values, snippetS: Number(answer.headers.get("X-Snippet-S")),
      firstS: Number(answer.headers.get("X-First-Snippet-S")) };
  }

  /** @returns {Promise<Localization>} Localized again with other options, without the network. */
  relocalize(activationId, options, signal) {
    return this.#service.json(`activations/${encodeURIComponent(activationId)}/localize`,
      { method: "POST", json: options, signal });
  }

  /** @returns {Promise<string>} Lets `<video>` and `<img>` read a job's media. */
  async ticket(id) {
    return (await this.#service.json(`${jobPath(id)}/ticket`, { method: "POST" })).ticket;
  }

  /** @returns {string} Address of a job's video. */
  videoUrl(id, ticket) { return address(`${jobPath(id)}/video`, { ticket }); }

  /** @returns {string} Address of the frame on screen at a time. */
  stillUrl(id, ticket, timeS, height) {
    return address(`${jobPath(id)}/still`, { time_s: timeS, height, ticket });
  }

  /** @returns {Promise<Blob>} The frame on screen at a time, as a JPEG. */
  async still(id, timeS, height) {
    const query = { time_s: timeS, height };
    return (await this.#service.call(`${jobPath(id)}/still`, { query })).blob();
  }

  /**
   * @param {string} format - csv, json, activitynet, vtt, edl, elan, boris or labelstudio.
   * @param {{video_id: string, duration_s: number, frame_rate: number|null, segments: Segment[]}} what
   * @returns {Promise<{name: string, content: Blob}>}
   */
  async exported(format, what) {
    return named(await this.#service.call(`export/${format}`, { method: "POST", json: what }));
  }

  /** @returns {Promise<{name: string, content: Blob}>} A zip of clips, exact or at key frames. */
  async clips(id, segments, exact) {
    return named(await this.#service.call(`${jobPath(id)}/clips`,
      { method: "POST", json: { segments, exact } }));
  }

  /**
   * @returns {Promise<{entry: Object, etag: string, saved: Date|null}|null>} Saved corrections and
   *   when; null for none.
   */
  async corrections(videoId) {
    try {
      const answer = await this.#service.call(`corrections/${encodeURIComponent(videoId)}`);
      const modified = answer.headers.get("Last-Modified");
      return { entry: await answer.json(), etag: answer.headers.get("ETag"),
        saved: modified && new Date(modified) };
    } catch (error) {
      if (error.status === 404) return null;
      throw error;
    }
  }

  /**
   * Saves corrections.
   *
   * @param {string} videoId
   * @param {Object} entry
   * @param {string|null} etag - Of the corrections that were read; null if there were none.
   * @returns {Promise<string>} The new ETag; `ApiError` 412 if another tab saved in between.
   */
  async saveCorrections(videoId, entry, etag) {
    const headers = etag ? { "If-Match": etag } : { "If-None-Match": "*" };
    const answer = await this.#service.call(`corrections/${encodeURIComponent(videoId)}`,
      { method: "PUT", json: entry, headers });
    return answer.headers.get("ETag");
  }
}

const jobPath = (id) => `jobs/${encodeURIComponent(id)}`;
const versionOf = (model) => (model ? { model: model.name, version: model.version } : {});
const pause = (ms) => new Promise((done) => setTimeout(done, ms));

async function named(answer) {
  const header = answer.headers.get("Content-Disposition") ?? "";
  const encoded = header.match(/filename\*=UTF-8''([^;]+)/i)?.[1];
  const plain = header.match(/filename="?([^";]+)"?/i)?.[1];
  return { name: encoded ? decodeURIComponent(encoded) : plain ?? "",
    content: await answer.blob() };
}
