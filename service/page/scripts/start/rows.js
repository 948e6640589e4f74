/** Rows of the recent videos: uploads on their way, jobs, localized features. */

import { button, cutInTheMiddle, el } from "../parts/elements.js";
import { bytesOf, clock, counted, day, ordinal, roughly } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { detailsOf, sentence, sentenceOf } from "../server/problems.js";
import { hashOf } from "../router.js";
import { thumbnail } from "./thumbnails.js";

const STATES = {
  queued: ["clock", "Waiting"],
  done: ["accept", "Done"],
  failed: ["trouble", "Failed"],
  cancelled: ["close", "Cancelled"],
};

/** Returns the name of a job; a part of its id if an earlier release submitted it. */
export function nameOfJob(job) {
  return job.name || `Job ${job.id.slice(0, 8)}`;
}

/** Returns the share of a job that is read, 0 to 1, or null where the video's length is unknown. */
export function shareOf({ progress }) {
  if (!progress?.snippets_expected) return null;
  return Math.min(1, progress.snippets_done / progress.snippets_expected);
}

/** Returns "Next in line" or "4th in line". */
export function inLine(ahead) {
  return ahead === 0 ? "Next in line" : `${ordinal(ahead + 1)} in line`;
}

/**
 * Returns the content of a job's row.
 *
 * @param {import("../server/api.js").JobSummary & {ahead: number}} job
 * @param {{api: import("../server/api.js").Api, model: Object|null, again: (job: Object) => void,
 *   remove: (job: Object) => void}} list - `model` is the chosen one.
 */
export function jobRow(job, { api, model, again, remove }) {
  const share = job.state === "running" ? shareOf(job) : null;
  const still = job.state === "queued" || job.state === "failed" ? null : job;
  const name = cutInTheMiddle(nameOfJob(job), { class: "name" });
  if (job.state === "failed") {
    return el("div", { class: "row" }, thumbnail(api, null),
      el("div", { class: "text" }, name,
        el("p", { class: "reason" }, sentence(job.detail ?? "The job failed"))),
      stateMark("failed"),
      el("div", { class: "actions" }, button("Try again", () => again(job)),
        button("Remove", () => remove(job), { class: "plain" }),
        el("a", { class: "quiet details-link", href: hashOf("job", job.id),
          ariaLabel: `Details of ${nameOfJob(job)}` }, "Details")));
  }
  return el("a", { class: "row", href: hashOf("job", job.id) }, thumbnail(api, still),
    el("span", { class: "text" }, name,
      el("span", { class: "small quiet ends" }, factsOf(job, model)),
      share !== null && meter(share, `Read of ${nameOfJob(job)}`)),
    job.state === "running"
      ? el("span", { class: "state" }, share === null ? "Reading" : inPercent(share))
      : stateMark(job.state));
}

function factsOf(job, model) {
  const length = job.duration_s && clock(job.duration_s);
  const when = day(new Date(job.created));
  const isOther = job.model && model && job.model.name !== model.name;
  const version = job.model && model && (isOther || job.model.version !== model.version)
    && `${isOther ? `${job.model.name} ` : ""}version ${job.model.version}`;
  const facts = {
    queued: [inLine(job.ahead), length],
    running: [length, job.progress?.seconds_left != null
      && `about ${roughly(job.progress.seconds_left)} left`],
    done: [job.segments != null && counted(job.segments, "segment"), length, when, version],
    cancelled: [when],
  };
  return facts[job.state].filter(Boolean).join(" · ") || when;
}

/** Returns the content of the row of localized features. */
export function featuresRow(one, model) {
  return el("a", { class: "row", href: hashOf("features", one.id, { name: one.name }) },
    el("span", { class: "thumbnail" }, icon("film")),
    el("span", { class: "text" }, cutInTheMiddle(one.name, { class: "name" }),
      el("span", { class: "small quiet ends" }, factsOf({ ...one, state: "done" }, model))),
    stateMark("done"));
}

/**
 * Returns the content of an upload's row.
 *
 * @param {import("./uploads.js").Upload} upload
 * @param {{retry: () => void, cancel: () => void}} does
 */
export function uploadRow(upload, { retry, cancel }) {
  const share = upload.sentBytes / upload.file.size;
  const isMoving = upload.state === "sending" || upload.state === "waiting";
  const actions = {
    pausing: [button("Try now", retry), button("Cancel", cancel, { class: "plain" })],
    stopped: [button("Try again", retry), button("Remove", cancel, { class: "plain" })],
    refused: [button("Remove", cancel)],
  }[upload.state];
  return el("div", { class: "row" }, el("span", { class: "thumbnail" }, icon("film")),
    el("div", { class: "text" }, uploadName(upload),
      el("p", { class: upload.state === "refused" ? "reason" : "small quiet" },
        uploadFacts(upload)),
      upload.state === "sending" && meter(share, `Sent of ${upload.name}`),
      upload.state === "refused" && detailsOf(upload.error)),
    isMoving ? button(`Cancel ${upload.name}`, cancel,
      { icon: "close", only: true, class: "plain" })
      : stateMark(upload.state === "pausing" ? "queued" : "failed",
        upload.state === "stopped" ? "Stopped" : undefined),
    actions && el("div", { class: "actions" }, actions));
}

function uploadName(upload) {
  const name = cutInTheMiddle(upload.name, { class: "name" });
  return upload.state === "refused" ? name : el("a", { href: hashOf("upload", upload.id) }, name);
}

/** Returns a sentence about an upload. */
export function uploadFacts(upload) {
  const sent = bytesOf(upload.sentBytes, upload.file.size);
  const left = uploadLeft(upload);
  return {
    waiting: () => "Waiting for the upload before it",
    sending: () => ["Uploading", sent, left && `about ${left} left`].filter(Boolean).join(" · "),
    pausing: () => sentenceOf({ type: upload.error.type, detail: upload.error.detail,
      retryAfterS: upload.againS }),
    stopped: () => `The upload stopped at ${sent}. "Try again" starts it once more.`,
    refused: () => sentenceOf(upload.error),
    done: () => "Done",
    cancelled: () => "Cancelled",
  }[upload.state]();
}

/** Returns the time left of an upload, from its fourth second on; else an empty text. */
export function uploadLeft({ sentBytes, startedMs, file }) {
  const tookS = (performance.now() - startedMs) / 1000;
  if (tookS < 4 || !sentBytes) return "";
  return roughly((file.size - sentBytes) * tookS / sentBytes);
}

/** Returns a bar that shows a share. */
export function meter(share, label) {
  const filled = el("span", {});
  filled.style.width = inPercent(share).replace(" ", "");
  const bar = el("span", { class: "meter", role: "progressbar", ariaLabel: label }, filled);
  for (const [name, value] of [["min", 0], ["max", 100], ["now", Math.round(100 * share)]]) {
    bar.setAttribute(`aria-value${name}`, value);
  }
  return bar;
}

/** Returns "42 %". */
export function inPercent(share) {
  return `${Math.floor(100 * share)} %`;
}

function stateMark(state, words) {
  const [mark, word] = STATES[state];
  return el("span", { class: `state ${state}` }, icon(mark), words ?? word);
}
