/** Dark and light: the system's choice until the button is pressed, then the person's. */

const KEPT = "theme";
const NAMES = ["bg", "surface", "sunken", "line", "field", "ink", "ink-2", "ink-3", "on-ink",
  "focus", "red", "red-bg", "amber", "amber-bg", "ok", "ok-bg"];
/** Number of class colours. */
export const CLASS_COLORS = 20;

const dark = matchMedia("(prefers-color-scheme: dark)");
/** Dispatches `change` after each change of the theme; canvases are then painted again. */
export const themeChanges = new EventTarget();
let known = null;

/** Returns "dark" or "light". */
export function theme() {
  return document.documentElement.dataset.theme ?? (dark.matches ? "dark" : "light");
}

/** Changes between dark and light, and keeps the choice. */
export function toggleTheme() {
  const chosen = theme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = chosen;
  localStorage.setItem(KEPT, chosen);
  changed();
}

/** Takes the kept choice, if there is one, and follows the system. */
export function startTheme() {
  const kept = localStorage.getItem(KEPT);
  if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  dark.addEventListener("change", changed);
}

/**
 * Returns the colours in force, as a canvas takes them.
 *
 * @returns {{bg: string, surface: string, sunken: string, line: string, field: string, ink: string,
 *   ink2: string, ink3: string, onInk: string, focus: string, red: string, redBg: string,
 *   amber: string, amberBg: string, ok: string, okBg: string, classes: string[]}}
 */
export function palette() {
  known ??= readPalette();
  return known;
}

function readPalette() {
  // A custom property keeps light-dark() as text, so a real property has to resolve it.
  const probe = document.createElement("span");
  document.body.append(probe);
  const read = (name) => {
    probe.style.color = `var(--${name})`;
    return getComputedStyle(probe).color;
  };
  const camel = (name) => name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
  const colors = Object.fromEntries(NAMES.map((name) => [camel(name), read(name)]));
  colors.classes = Array.from({ length: CLASS_COLORS }, (_, index) => read(`class-${index + 1}`));
  probe.remove();
  return colors;
}

function changed() {
  known = null;
  themeChanges.dispatchEvent(new Event("change"));
}
