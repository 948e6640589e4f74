/** Sentences for errors: what happened, then what to do. */

import { button, el } from "../parts/elements.js";
import { bytes, counted } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { notify } from "../parts/notices.js";
import { copyText } from "../panels/save_file.js";

/**
 * Sentences by the last part of a problem's type. Those that are absent get the service's own
 * text, because it says what was expected, what came and what to do.
 *
 * @type {Object<string, (error: import("./api.js").ApiError) => string|undefined>}
 */
const SENTENCES = {
  "scope-missing": (error) => {
    const scope = /'(\w+)'/.exec(error.detail)?.[1] ?? "infer";
    return `This key may not do that. Use one with the scope "${scope}".`;
  },
  "disk-full": () => "The service has no room for this video. Ask the operator.",
  "queue-full": (error) => `${waiting(error)} Trying again in ${error.retryAfterS || 20} s.`,
  "extractor-unavailable": (error) => {
    const name = /the extractor ([^\s,]+)/.exec(error.detail)?.[1];
    return name
      && `This model reads videos with "${name}", which is not here. Ask the operator for it.`;
  },
  "worker-failed": () =>
    "This video stopped the reader three times. Convert it to MP4 and bring it in again.",
  "activation-gone": () =>
    "The activation of this video is no longer kept. \"Read it again\" takes seconds.",
  "unknown-job": () => "This job is no longer here. Bring the video in again.",
  "videos-not-served": () =>
    "This service takes features only. Choose an .npy file, or ask the operator for the extra "
    + "\"jobs\".",
  unreachable: () => "The service does not answer. Check that it runs, then try again.",
  overloaded: (error) => `The service is busy. Trying again in ${error.retryAfterS || 20} s.`,
};

/** Returns what happened, and what to do. */
export function sentenceOf(error) {
  const known = SENTENCES[error.type]?.(error);
  if (known) return known;
  const text = error.detail || error.message || "The service failed without a reason.";
  return sentence(text);
}

/** Returns whether the same request may succeed in a while. */
export function isPassing(error) {
  return ["queue-full", "overloaded", "jobs-unavailable", "out-of-memory"].includes(error.type);
}

/** Returns the sentence for a file that is too large. */
export function tooLarge(sizeBytes, limitBytes) {
  return `It has ${bytes(sizeBytes)}; this service takes up to ${bytes(limitBytes)}. `
    + "Cut it or compress it, then drop it again.";
}

/**
 * Returns a message.
 *
 * @param {"red"|"amber"} kind
 * @param {string} title
 * @param {string} text
 * @param {{actions?: Node[], details?: Node|null}} [options]
 */
export function message(kind, title, text, { actions = [], details = null } = {}) {
  const role = kind === "red" ? "alert" : "status";
  return el("div", { class: `message ${kind}`, role }, icon(kind === "red" ? "trouble" : "wait"),
    el("div", {}, title && el("p", { class: "title" }, title), el("p", {}, text),
      actions.length > 0 && el("div", { class: "actions" }, actions), details));
}

/** Returns the message for an error, with the service's own words under "Details". */
export function errorMessage(error, { title = "", actions = [] } = {}) {
  return message("red", title, sentenceOf(error), { actions, details: detailsOf(error) });
}

/** Returns "Details": the service's text, `type` and request ID, with "Copy". */
export function detailsOf(error) {
  if (error.type === "unreachable") return null;
  return factsOf([["Text", error.detail], ["Type", error.type], ["Request", error.requestId]]);
}

/** Returns "Details" with names and values, and "Copy"; null where there are none. */
export function factsOf(all) {
  const lines = all.filter(([, value]) => value);
  if (!lines.length) return null;
  const text = lines.map(([name, value]) => `${name}: ${value}`).join("\n");
  const copy = async () => {
    await copyText(text);
    notify("Copied the details.");
  };
  return el("details", { class: "details" }, el("summary", {}, "Details"),
    el("dl", {}, lines.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    button("Copy", copy, { icon: "copy" }));
}

/** Returns a text of the service as a sentence: "the video ends" becomes "The video ends." */
export function sentence(text) {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
}

function waiting(error) {
  const count = Number(/\d+/.exec(error.detail)?.[0]);
  return count ? `${counted(count, "video")} wait already.` : "Many videos wait already.";
}
