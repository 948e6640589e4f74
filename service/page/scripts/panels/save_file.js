/** Files and texts that leave the page. */

import { el } from "../parts/elements.js";

/** Lets the browser save a file. */
export function saveFile(name, content) {
  const blob =
    content instanceof Blob ? content : new Blob([content], { type: "application/json" });
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name, hidden: true });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

/**
 * Copies a text.
 *
 * Browsers offer their clipboard on https and on this computer only, so elsewhere a selected field
 * is copied.
 */
export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = el("textarea", { value: text, class: "unseen" });
  const before = document.activeElement;
  document.body.append(field);
  field.select();
  document.execCommand("copy");
  field.remove();
  before?.focus?.();
}

/** Lets somebody choose a file; null where they close the dialog. */
export function chooseFile(accept) {
  return new Promise((answer) => {
    const input = el("input", { type: "file", accept, hidden: true });
    const done = (file) => {
      input.remove();
      answer(file);
    };
    input.addEventListener("change", () => done(input.files[0] ?? null));
    input.addEventListener("cancel", () => done(null));
    document.body.append(input);
    input.click();
  });
}
