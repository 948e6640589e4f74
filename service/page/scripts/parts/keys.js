/** Keys of the page, compared by character, so that every keyboard layout reaches them. */

/**
 * @typedef {Object} Binding
 * @property {string} key - Modifiers and the key: "N", "Space", "Shift+D", "Ctrl+Shift+Z", "[",
 *   "ArrowUp". Letters are upper case. Shift counts for letters and named keys only, because other
 *   characters such as "?" and "{" contain it.
 * @property {(event: KeyboardEvent) => void} does
 * @property {string} text - Line of the sheet. Bindings with one text and group share the line.
 * @property {string} group - Heading of the sheet.
 * @property {() => boolean} [when] - Whether the key acts now; always, if absent.
 * @property {string[]} [show] - Key caps of the sheet in place of the key's own; "to" is a word;
 *   empty for none.
 */

const KEPT = "keys-without-ctrl";
const TYPED_INTO = "input:not([type=checkbox], [type=radio], [type=range], [type=button]), "
  + "textarea, select, [contenteditable]";
/** Keys that move a slider. */
const MOVES = /^(Arrow|Home|End|Page)/;
const CAPS = { ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc",
  "-": "−" };
/** @type {Set<Binding>} */
const bindings = new Set();

/**
 * Makes keys act.
 *
 * @param {...Binding} bound
 * @returns {() => void} Ends that.
 */
export function bind(...bound) {
  for (const binding of bound) bindings.add(binding);
  return () => bound.forEach((binding) => bindings.delete(binding));
}

/** Listens to the keyboard. */
export function startKeys() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.isComposing
      || document.querySelector("dialog[open]")) return;
    const key = pressed(event);
    if (rests(event, key)) return;
    const binding = [...bindings].reverse().find((b) => b.key === key && (b.when?.() ?? true));
    if (!binding) return;
    event.preventDefault();
    binding.does(event);
  });
}

/** Returns the sheet's lines by group: `[[group, [[text, caps], ...]], ...]`. */
export function sheet() {
  const groups = new Map();
  for (const { group, text, key, show } of bindings) {
    const rows = groups.get(group) ?? groups.set(group, new Map()).get(group);
    const caps = rows.get(text) ?? rows.set(text, []).get(text);
    caps.push(...(show ?? capsOf(key)));
  }
  return [...groups].map(([group, rows]) => [group, [...rows].filter(([, caps]) => caps.length)])
    .filter(([, rows]) => rows.length);
}

/** Returns a title that names its key: "Play (Space)". */
export function titled(text, key) {
  return `${text} (${capsOf(key).join("+")})`;
}

/** Returns whether keys act without Ctrl or Alt. */
export function plainKeysAct() {
  return localStorage.getItem(KEPT) !== "false";
}

/**
 * Makes keys act without Ctrl or Alt, or not; kept. People who speak to their computer need that.
 */
export function letPlainKeysAct(act) {
  localStorage.setItem(KEPT, String(act));
}

/** Returns a pressed key in the form of `Binding.key`. */
export function pressed(event) {
  const isPrintable = [...event.key].length === 1;
  const isLetter = isPrintable && event.key.toLowerCase() !== event.key.toUpperCase();
  const isAltGr = event.getModifierState("AltGraph");
  const isComposed = isPrintable && !isLetter && event.altKey && !event.metaKey
    && (isAltGr || !event.ctrlKey);  // "[" by AltGr, or by Option on a Mac
  const parts = [];
  if ((event.ctrlKey || event.metaKey) && !isAltGr) parts.push("Ctrl");
  if (event.altKey && !isAltGr && !isComposed) parts.push("Alt");
  if (event.shiftKey && event.key !== " " && (isLetter || !isPrintable)) parts.push("Shift");
  parts.push(event.key === " " ? "Space" : isLetter ? event.key.toUpperCase() : event.key);
  return parts.join("+");
}

function rests(event, key) {
  if (event.target instanceof Element && event.target.closest(TYPED_INTO)) return true;
  if (MOVES.test(key) && event.target.closest?.("input[type=range]")) return true;
  if (key === "Space" || key === "Enter") return isPressedBy(event.target);
  const isPlain = [...key].length === 1 || /^Shift\+.$/u.test(key);
  return isPlain && key !== "?" && !plainKeysAct();
}

/** Returns whether Space and Enter press an element themselves. */
function isPressedBy(target) {
  return target instanceof Element
    && target.closest("button, a[href], summary, input, [role=menuitem]") !== null;
}

function capsOf(key) {
  return key.split(/\+(?=.)/).map((part) => CAPS[part] ?? part);
}
