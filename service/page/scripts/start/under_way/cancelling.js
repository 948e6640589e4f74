/** The question before a job is cancelled. */

import { ask } from "../../parts/dialogs.js";
import { notify } from "../../parts/notices.js";
import { sentenceOf } from "../../server/problems.js";
import { nameOfJob } from "../rows.js";

const CHOICES = [
  { text: "Cancel job", value: "cancel" },
  { text: "Go on", value: "", primary: true },
];

/** Asks whether to cancel; returns the answer. */
export async function isSureToCancel(text = "What was read is kept for next time.") {
  return await ask("Cancel this job?", text, CHOICES) === "cancel";
}

/** Cancels a job after the question; returns whether it is cancelled. */
export async function confirmedCancel(api, job) {
  return await isSureToCancel() && cancelled(api, job);
}

/** Cancels a job, and reports it; returns whether it is cancelled. */
export async function cancelled(api, job) {
  try {
    const { state } = await api.cancel(job.id);
    if (state === "done" || state === "failed") {
      notify(`${nameOfJob(job)} had ended before.`);
      return false;
    }
    notify(`Cancelled ${nameOfJob(job)}.`);
    return true;
  } catch (error) {
    notify(sentenceOf(error), { kind: "error" });
    return false;
  }
}
