/** Localizes the opened video once more: with another model, or because its activation is gone. */

import { isFinal } from "../server/api.js";
import { loadActivation } from "../result/opening.js";

/**
 * Returns the result of a new job on the session's video.
 *
 * @param {import("../server/api.js").Api} api
 * @param {import("../result/session.js").Session} session
 * @param {import("../server/api.js").Model} model
 * @param {{signal: AbortSignal, onProgress?: (share: number|null) => void}} view
 * @returns {Promise<import("../server/api.js").Localization>}
 */
export async function readWith(api, session, model, { signal, onProgress = () => {} }) {
  let job = await api.submitAgain(session.job.id, model);
  if (!isFinal(job)) {
    for await (job of api.follow(job.id, signal)) {
      const { snippets_done: done, snippets_expected: expected } = job.progress ?? {};
      onProgress(expected ? Math.min(1, done / expected) : null);
    }
  }
  if (job.state === "done" && !job.result) job = await api.job(job.id);
  if (job.state === "done") return job.result;
  throw job.error
    ? Object.assign(new Error(job.error.detail), job.error)
    : new Error("The job was cancelled. Try again.");
}

/** Reads the video again, so that its activation is kept once more. */
export async function readAgain(api, session, view) {
  const result = await readWith(api, session, session.model, view);
  session.setActivationId(result.activation ?? null);
  await loadActivation(api, session);
}

/** Reads the video with another model and compares the results. */
export async function readToCompare(api, session, model, view) {
  const result = await readWith(api, session, model, view);
  session.activationIdB = result.activation ?? null;
  session.compareWith(model, result);
  await loadActivation(api, session, "B");
}
