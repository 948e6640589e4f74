/** Opens a finished job, or features that the service localized, as a session. */

import { Session } from "./session.js";
import { readLink } from "../panels/settings_text.js";

/**
 * Returns the session of a job or of features, with time and settings of the link.
 *
 * @param {import("../server/api.js").Api} api
 * @param {{jobId?: string, activationId?: string, params: URLSearchParams}} what
 * @returns {Promise<Session>}
 */
export async function openSession(api, { jobId, activationId, params }) {
  const opened = jobId
    ? await openJob(api, jobId)
    : await openFeatures(api, activationId, params.get("name"));
  const model = await api.model(opened.result.model);
  const session = new Session({
    ...opened,
    model: opened.result.model,
    ...factsOf(model, opened.result),
  });
  session.setActivationId(activationId ?? opened.result.activation ?? null);
  const { timeS, options } = readLink(params);
  if (Object.keys(options).length) session.setOptions(options);
  if (timeS !== null) session.seek(timeS);
  return session;
}

async function openJob(api, id) {
  const job = await api.job(id);
  const { result, video } = job;
  const videoUrl = video?.available ? await addressOf(api, id) : null;
  return {
    job,
    result,
    name: job.name ?? id,
    durationS: Math.max(result.duration_s, video?.duration_s ?? 0),
    frameRate: video?.frame_rate ?? null,
    videoUrl,
    canPlay: videoUrl !== null && maybePlays(video),
  };
}

/** Returns the address of a job's video; null where the service gives it to nobody. */
async function addressOf(api, id) {
  try {
    return api.videoUrl(id, await api.ticket(id));
  } catch (error) {
    if (error.status === 403 || error.status === 404) return null;
    throw error;
  }
}

async function openFeatures(api, id, name) {
  const result = await api.relocalize(id, {});
  return {
    job: null,
    result,
    name: name || "features.npy",
    durationS: result.duration_s,
    frameRate: null,
  };
}

/** Returns labels and defaults of a model; those of the result where the model is unloaded. */
function factsOf({ spec }, result) {
  const {
    class_threshold: classThreshold = 0.25,
    nms_iou: nmsIou = 0.6,
    min_score: minScore = null,
    max_segments: maxSegments = null,
  } = spec?.localization ?? {};
  const labels = spec?.labels ?? result.classes.map((one) => one.label).sort();
  return { labels, defaults: { classThreshold, nmsIou, minScore, maxSegments } };
}

/** Returns whether the browser may play a video; only trying tells for sure. */
export function maybePlays({ media_type: mediaType }) {
  return !mediaType || document.createElement("video").canPlayType(mediaType) !== "";
}

/** Loads the activation of the session's result A or B; none where the service has it no more. */
export async function loadActivation(api, session, source = "A") {
  const id = source === "A" ? session.activationId : session.activationIdB;
  if (!id) return;
  try {
    session.setActivation(await api.activation(id), source);
  } catch (error) {
    if (error.status !== 404) throw error;
    session.setActivationId(null, source);
  }
}
