/** Dialogs, where an answer is needed; the browser keeps the focus inside and gives it back. */

import { button, el } from "./elements.js";
import { icon } from "./icons.js";
import { letPlainKeysAct, plainKeysAct, sheet } from "./keys.js";

/** Groups of keys outside a video. */
const FEW_GROUPS = 3;
const MORE_KEYS = "Those of the player, the segments and the time line appear here while a video "
  + "is open.";
let count = 0;

/**
 * Opens a dialog.
 *
 * @param {string} title
 * @param {(Node|string|null)[]} content - Below the title; text becomes a paragraph.
 * @param {{class?: string, head?: Node, closable?: boolean}} [options] - `head` in place of the
 *   title alone; Esc closes a dialog that is closable.
 * @returns {HTMLDialogElement} Dispatches `close`; `returnValue` is empty after Esc.
 */
export function openDialog(title, content, { class: kind = "", head, closable = true } = {}) {
  const id = `dialog-${++count}`;
  const heading = el("h2", { id }, title);
  head?.prepend(heading);
  const paragraphs = content.filter((part) => part !== null).map((part) =>
    (typeof part === "string" ? el("p", {}, part) : part));
  const dialog = el("dialog", { class: `dialog ${kind}`.trim() }, head ?? heading, ...paragraphs);
  dialog.setAttribute("aria-labelledby", id);
  dialog.addEventListener("cancel", (event) => { if (!closable) event.preventDefault(); });
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

/**
 * Asks a question.
 *
 * @param {string} title
 * @param {string} text
 * @param {{text: string, value: string, primary?: boolean}[]} choices - The last one has the focus.
 * @returns {Promise<string|null>} The value of the choice; null after Esc.
 */
export function ask(title, text, choices) {
  return new Promise((answer) => {
    const buttons = choices.map(({ text: words, value, primary }) =>
      button(words, () => dialog.close(value), { class: primary ? "primary" : "" }));
    const actions = el("div", { class: "actions" }, ...buttons);
    const dialog = openDialog(title, [text || null, actions]);
    dialog.addEventListener("close", () => answer(dialog.returnValue || null));
    buttons.at(-1).focus();
  });
}

/**
 * Asks for an API key until one is given.
 *
 * @param {string|null} error - Sentence about the key before.
 * @returns {Promise<string>}
 */
export function askForKey(error) {
  return new Promise((answer) => {
    const field = el("input", { class: "field", type: "password", name: "key", required: true,
      autocomplete: "off", spellcheck: false, ariaLabel: "API key" });
    const send = (event) => { event.preventDefault(); dialog.close(field.value.trim()); };
    const form = el("form", { onsubmit: send },
      el("p", {}, "This service needs a key. The key is kept until you close this tab."),
      el("div", { class: "with-icon" }, icon("key"), field),
      error && invalid(field, error),
      el("div", { class: "actions" },
        el("button", { class: "button primary", type: "submit" }, "Continue")));
    const dialog = openDialog("API key", [form], { closable: false });
    dialog.addEventListener("close", () => answer(dialog.returnValue));
    field.focus();
  });
}

/**
 * Marks a field as wrong.
 *
 * @param {HTMLInputElement} field
 * @param {string} sentence
 * @returns {HTMLElement} The sentence, to be put below the field.
 */
export function invalid(field, sentence) {
  const id = `error-${++count}`;
  field.setAttribute("aria-invalid", "true");
  field.setAttribute("aria-describedby", id);
  return el("p", { class: "field-error", id, role: "alert" }, icon("trouble"),
    el("span", {}, sentence));
}

/** Opens the sheet of the keys that act now. */
export function openKeys() {
  const box = el("input", { type: "checkbox", class: "check", checked: plainKeysAct(),
    onchange: () => letPlainKeysAct(box.checked) });
  const close = button("Close", () => dialog.close(), { icon: "close", only: true });
  const head = el("div", { class: "keys-head" },
    el("label", {}, box, "Use keys without Ctrl or Alt"), close);
  const groups = sheet();
  const more = groups.length < FEW_GROUPS ? MORE_KEYS : null;
  const dialog = openDialog("Keys", [groupsOf(groups), more, footOf()],
    { class: "keys", head });
  close.focus();
}

function groupsOf(groups) {
  const sections = groups.map(([group, rows]) => el("section", {},
    el("h3", {}, group),
    el("dl", {}, rows.map(([text, caps]) => el("div", { class: "row" },
      el("dt", {}, text), el("dd", {}, caps.map(capOf)))))));
  return el("div", { class: "keys-groups" }, sections);
}

function footOf() {
  return el("div", { class: "keys-foot" },
    el("span", {}, "Keys rest while you type in a field. Tab reaches everything on the page."),
    el("span", {}, capOf("?"), " opens this sheet, ", capOf("Esc"), " closes it"));
}

/** Returns a key as a cap; "to" as a word. */
export function capOf(key) {
  return key === "to" ? el("span", {}, "to") : el("kbd", { class: "keycap" }, key);
}
