/** Small stills of videos, loaded one after the other, and each once. */

import { el, fill } from "../parts/elements.js";
import { icon } from "../parts/icons.js";

const HEIGHT = 72;
/** @type {Map<string, Promise<string|null>>} Addresses of stills by job; null where none came. */
const known = new Map();
let line = Promise.resolve();

/**
 * Returns a still of a job's video, or the icon of a film until it comes.
 *
 * @param {import("../server/api.js").Api} api
 * @param {{id: string, duration_s?: number}|null} job - Null for no still.
 * @returns {HTMLElement}
 */
export function thumbnail(api, job) {
  const tile = el("span", { class: "thumbnail" }, icon("film"));
  if (job) {
    still(api, job).then((address) => {
      if (address) fill(tile, el("img", { src: address, alt: "" }));
    });
  }
  return tile;
}

function still(api, { id, duration_s: durationS = 0 }) {
  if (!known.has(id)) {
    const loaded = line.then(() => load(api, id, durationS / 2));
    line = loaded;
    known.set(id, loaded);
  }
  return known.get(id);
}

async function load(api, id, timeS) {
  try {
    return URL.createObjectURL(await api.still(id, timeS, HEIGHT));
  } catch {
    return null;  // the service no longer has the video, or cannot read it
  }
}
