/** Short notices, bottom left, and what screen readers speak. */

import { button, el, fill } from "./elements.js";
import { icon } from "./icons.js";

const SHOWN_MS = 6000;

/**
 * Shows a notice: for 6 s, or until it is closed if it is an error.
 *
 * @param {string} text
 * @param {{kind?: "ok"|"error", action?: {text: string, does: () => void}}} [options]
 * @returns {() => void} Closes it.
 */
export function notify(text, { kind = "ok", action } = {}) {
  const close = () => notice.remove();
  const act = () => { close(); action.does(); };
  const notice = el("div", { class: "notice" },
    icon(kind === "error" ? "trouble" : "accept"),
    el("span", {}, text),
    action && el("button", { type: "button", class: "link", onclick: act }, action.text),
    kind === "error" && button("Close this notice", close, { icon: "close", only: true }));
  document.getElementById("notices").append(notice);
  if (kind === "error") alertOf(text);
  else {
    announce(text);
    closeLater(notice, close);
  }
  return close;
}

/** Speaks a sentence when the screen reader has time: counts, saved, copied, each 10 %. */
export function announce(text) {
  speak("status", text);
}

/** Speaks a sentence at once: an error. */
export function alertOf(text) {
  speak("alert", text);
}

function speak(id, text) {
  fill(document.getElementById(id), el("p", {}, text));
}

/** Closes a notice after a while, but not under the pointer or the focus. */
function closeLater(notice, close) {
  const isUsed = () => notice.matches(":hover, :focus-within");
  setTimeout(() => (isUsed() ? closeLater(notice, close) : close()), SHOWN_MS);
}
