/** The steps of a job: upload, wait in line, read the video, find segments. */

import { el, refill } from "../../parts/elements.js";
import { bytes, bytesOf, left, roughly } from "../../parts/format.js";
import { icon } from "../../parts/icons.js";
import { inLine, inPercent, meter, shareOf, uploadFacts, uploadLeft } from "../rows.js";

const SHOWN_LEFT_S = 4;

/**
 * @typedef {Object} Progress Everything that is known of a video under way.
 * @property {import("../uploads.js").Upload|null} upload - While it has no job.
 * @property {{bytes: number, tookS: number}|null} facts - Of an upload that is over; null for a
 *   video that came by its address, or in another tab.
 * @property {import("../../server/api.js").Job|null} job
 * @property {number} followedS - Seconds since the job was first seen.
 * @property {number|null} waitedS - Seconds in line, if somebody looked on.
 * @property {number|null} rate - Snippets a second.
 */

/** Returns the heading: the time left from the fourth second on, before that what goes on. */
export function headingOf({ upload, job, followedS }) {
  if (upload) return upload.state === "sending" ? "Uploading" : "Waiting to upload";
  if (job.state === "queued") return job.ahead == null ? "Waiting in line" : inLine(job.ahead);
  const leftS = job.progress.seconds_left;
  if (leftS != null && followedS >= SHOWN_LEFT_S && shareOf(job) !== 1) return left(leftS);
  return shareOf(job) === 1 ? "Finding segments" : "Reading the video";
}

/**
 * Returns the steps.
 *
 * @param {Progress} progress
 * @returns {{name: string, text: string, at: "done"|"now"|"next", share: number|null}[]}
 */
export function stepsOf({ upload, facts, job, waitedS, rate }) {
  const share = job ? shareOf(job) : null;
  const at = upload ? 0 : job.state === "queued" ? 1 : share === 1 ? 3 : 2;
  const isSent = upload || facts;
  const place = job?.state === "queued" && job.ahead != null ? inLine(job.ahead) : "";
  const steps = [
    isSent && { name: "Upload", text: uploadText(upload, facts),
      share: upload ? upload.sentBytes / upload.file.size : 1 },
    { name: "Wait in line", text: at > 1 ? waitedText(waitedS) : place, share: null },
    { name: "Read the video", text: readText(job, rate), share: at >= 2 ? share : null },
    { name: "Find segments", text: "less than a second", share: null },
  ];
  return steps.map((step, number) => step
    && { ...step, at: number < at ? "done" : number === at ? "now" : "next" })
    .filter(Boolean);
}

/** Shows the steps in a list. */
export function paintSteps(list, steps) {
  refill(list, steps.map(({ name, text, at, share }, place) => {
    const item = el("li", { class: `step ${at}` },
      el("span", { class: "number" }, at === "done" ? icon("accept") : place + 1),
      el("div", { class: "text" }, el("p", { class: "name" }, name),
        el("p", { class: "small quiet" }, text)),
      share !== null && el("span", { class: "share" }, inPercent(share)),
      at === "now" && share !== null && meter(share, name));
    if (at === "now") item.setAttribute("aria-current", "step");
    return item;
  }));
}

function uploadText(upload, facts) {
  if (!upload) return `${bytes(facts.bytes)} in ${inSeconds(facts.tookS)}`;
  if (upload.state !== "sending") return uploadFacts(upload);
  const leftText = uploadLeft(upload);
  return [bytesOf(upload.sentBytes, upload.file.size), leftText && `about ${leftText} left`]
    .filter(Boolean).join(" · ");
}

function readText(job, rate) {
  const { snippets_done: done = 0, snippets_expected: expected } = job?.progress ?? {};
  if (!done) return expected ? `${expected} snippets` : "";
  const pace = rate && `${rate >= 10 ? rate.toFixed(0) : rate.toFixed(1)} a second`;
  return [expected ? `${done} of ${expected} snippets` : `${done} snippets`,
    pace].filter(Boolean).join(" · ");
}

function waitedText(waitedS) {
  if (waitedS === null) return "";
  return waitedS < 60 ? inSeconds(waitedS) : roughly(waitedS);
}

function inSeconds(seconds) {
  return seconds < 1 ? "less than a second" : seconds < 60 ? `${Math.round(seconds)} s`
    : roughly(seconds);
}
