/** The zone to drop files into, and its button to choose them. */

import { button, el, fill } from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { CHOSEN_TYPES } from "./accepting.js";

/**
 * Returns the drop zone.
 *
 * @param {(files: File[]) => void} take
 * @returns {{element: HTMLElement, setAccepted: (text: string) => void, choose: () => void}}
 */
export function dropZone(take) {
  const chooser = el("input", { type: "file", multiple: true, accept: CHOSEN_TYPES, class: "unseen",
    tabIndex: -1, ariaHidden: "true", ariaLabel: "Videos", onchange: () => {
      take([...chooser.files]);
      chooser.value = "";
    } });
  const choose = () => chooser.click();
  const accepted = el("p", { class: "small quiet" });
  const element = el("div", { class: "drop" },
    el("div", { class: "disc" }, icon("upload")),
    el("p", { class: "call" }, "Drop videos here"), el("p", { class: "or" }, "or"),
    button("Choose files", choose, { class: "primary", title: "Choose files (O)" }),
    chooser, accepted);
  return { element, choose, setAccepted: (text) => fill(accepted, text) };
}

/**
 * Takes files that are dropped anywhere on the page, because people miss a zone.
 *
 * @param {HTMLElement} zone - Marked while files are over the page.
 * @param {(files: File[]) => void} take
 * @param {AbortSignal} signal
 */
export function takeDropped(zone, take, signal) {
  const mark = (over) => zone.classList.toggle("over", over);
  const over = (event) => {
    if (!event.dataTransfer?.types.includes("Files")) return;
    event.preventDefault();
    mark(true);
  };
  const drop = (event) => {
    event.preventDefault();
    mark(false);
    const files = [...event.dataTransfer.files];
    if (files.length) take(files);
  };
  addEventListener("dragover", over, { signal });
  addEventListener("dragleave", (event) => { if (!event.relatedTarget) mark(false); }, { signal });
  addEventListener("drop", drop, { signal });
}
