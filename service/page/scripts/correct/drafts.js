/** Corrections that are not saved, kept in this browser over a reload. */

import { newId } from "../server/new_id.js";

const PREFIX = "draft:";
const KEPT_MS = 30 * 86_400_000;

/**
 * Name of this tab, so that two tabs with one video do not overwrite each other's draft.
 *
 * @returns {string}
 */
function tab() {
  const kept = sessionStorage.getItem("tab") ?? newId();
  sessionStorage.setItem("tab", kept);
  return kept;
}

const isDraft = (value) =>
  Array.isArray(value?.history?.edits) &&
  Number.isInteger(value.history.position) &&
  Number.isInteger(value.history.saved);

function read(key) {
  try {
    const value = JSON.parse(localStorage.getItem(key));
    return isDraft(value) ? value : null;
  } catch {
    return null;
  }
}

/**
 * Returns the draft of a video: that of this tab, else the newest of any.
 *
 * @param {string} video Name that is the same after a reload.
 * @returns {{history: import("./edits.js").History, etag: string|null, subset: string|null,
 *   keptMs: number}|null}
 */
export function readDraft(video) {
  const own = read(`${PREFIX}${video}:${tab()}`);
  if (own) return own;
  return (
    Object.keys(localStorage)
      .filter((key) => key.startsWith(`${PREFIX}${video}:`))
      .map(read)
      .filter(Boolean)
      .sort((a, b) => b.keptMs - a.keptMs)[0] ?? null
  );
}

/**
 * Keeps the draft of a video; an empty one is removed.
 *
 * @param {string} video
 * @param {{history: import("./edits.js").History, etag: string|null, subset: string|null}} draft
 *   ETag and subset are those of the corrections that were saved before.
 * @returns {boolean} False where the browser has no room.
 */
export function keepDraft(video, { history, ...saved }) {
  if (!history.edits.length) {
    removeDraft(video);
    return true;
  }
  try {
    const draft = { history, ...saved, keptMs: Date.now() };
    localStorage.setItem(`${PREFIX}${video}:${tab()}`, JSON.stringify(draft));
    return true;
  } catch {
    return false;
  }
}

/** Removes the drafts of a video, of all tabs. */
export function removeDraft(video) {
  for (const key of Object.keys(localStorage)) {
    if (key.startsWith(`${PREFIX}${video}:`)) localStorage.removeItem(key);
  }
}

/** Removes drafts that nobody touched for 30 days. */
export function removeOldDrafts() {
  for (const key of Object.keys(localStorage).filter((one) => one.startsWith(PREFIX))) {
    if ((read(key)?.keptMs ?? 0) < Date.now() - KEPT_MS) localStorage.removeItem(key);
  }
}
