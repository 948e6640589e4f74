/** Features that were localized in this browser; the service keeps their activation, but no job. */

const KEPT = "features";
const MOST = 20;

/**
 * @typedef {{id: string, name: string, model: import("../server/api.js").Model, duration_s: number,
 *   segments: number, created: string}} Features `id` is that of the activation.
 */

/** @returns {Features[]} Newest first. */
export function keptFeatures() {
  return JSON.parse(localStorage.getItem(KEPT) ?? "[]");
}

/**
 * Keeps a result for the list of recent jobs.
 *
 * @param {string} name
 * @param {import("../server/api.js").Localization} result
 */
export function keepFeatures(name, { activation, model, duration_s, segments }) {
  const one = { id: activation, name, model, duration_s, segments: segments.length,
    created: new Date().toISOString() };
  const others = keptFeatures().filter((other) => other.id !== activation);
  setKeptFeatures([one, ...others].slice(0, MOST));
}

/** Keeps these in place of all others. */
export function setKeptFeatures(all) {
  localStorage.setItem(KEPT, JSON.stringify(all));
}
