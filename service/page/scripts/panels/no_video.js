/** In place of the player where there is no video: a sentence, and a button that chooses one. */

import { button, el, fill } from "../elements.js";
import { icon } from "../icons.js";
import { notify } from "../notices.js";
import { chooseFile } from "./save_file.js";

/** Most by which a video may differ in length from its features. */
const TOLERANCE_S = 2;

/**
 * Fills the place of the player until there is a video.
 *
 * @param {HTMLElement} root
 * @param {import("../session.js").Session} session
 * @param {AbortSignal} signal
 */
export function mountNoVideo(root, session, signal) {
  const [title, text] = session.job
    ? ["The service no longer has this video.", "Choose it here to watch it; it stays on this computer."]
    : ["There is no video to show.", "Choose the video that belongs to these features."];
  let url = null;
  const choose = async () => {
    const file = await chooseFile("video/*");
    if (!file || signal.aborted) return;
    if (url) URL.revokeObjectURL(url);
    url = URL.createObjectURL(file);
    const lengthS = await lengthOf(url);
    if (lengthS !== null && Math.abs(lengthS - session.durationS) > TOLERANCE_S) {
      notify(`${file.name} is ${lengthS.toFixed(1)} s long, not ${session.durationS.toFixed(1)} s. `
        + "Check that it is the right video.", { kind: "error" });
    }
    session.setVideo({ videoUrl: url, canPlay: lengthS !== null });
  };
  signal.addEventListener("abort", () => { if (url) URL.revokeObjectURL(url); });
  fill(root, el("div", { class: "disc" }, icon("film")), el("p", { class: "strong" }, title),
    el("p", { class: "quiet" }, text), button("Choose the video", choose));
  const paint = () => { root.hidden = session.videoUrl !== null; };
  session.addEventListener("video", paint, { signal });
  paint();
}

/** Returns the length of a video in seconds; null where the browser cannot play it. */
function lengthOf(url) {
  return new Promise((answer) => {
    const probe = el("video", { preload: "metadata", src: url });
    probe.addEventListener("loadedmetadata", () => answer(probe.duration));
    probe.addEventListener("error", () => answer(null));
  });
}
