/** Icons of 16 px, drawn with lines of 1.6 px in the colour of the text. */

const SVG = "http://www.w3.org/2000/svg";

/** Paths by name; those of `FILLED` are filled instead. */
const PATHS = {
  accept: "M3 8.5l3.2 3.2L13 5",
  add: "M8 3v10M3 8h10",
  back: "M10 3L5 8l5 5",
  chevron: "M4 6l4 4 4-4",
  clock: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 4.8V8l2.2 1.6",
  close: "M4 4l8 8M12 4l-8 8",
  compare: "M2.5 4.5h8M5.5 8h8M2.5 11.5h6",
  copy: "M6 5.5h7v8H6zM10 5.5v-3H3v8h3",
  correct: "M3 13l.7-3L10.8 3l2.2 2.2L6 12.3zM9.3 4.5l2.2 2.2",
  download: "M8 2.5v7M5 7l3 3 3-3M3 13.5h10",
  expand: "M2.5 6V2.5H6M10 2.5h3.5V6M13.5 10v3.5H10M6 13.5H2.5V10",
  eye: "M1.5 8S4 3.8 8 3.8 14.5 8 14.5 8 12 12.2 8 12.2 1.5 8 1.5 8zM8 6.2a1.8 1.8 0 1 0 0 3.6 1.8 1.8 0 0 0 0-3.6z",
  file: "M4 1.8h5l3.2 3.2v9.2H4zM9 1.8V5h3.2",
  film: "M2.5 4h11v8h-11zM5.5 4v8M10.5 4v8M2.5 8h11",
  find: "M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9zM10.3 10.3L14 14",
  fit: "M2.5 3.5v9M13.5 3.5v9M4.8 8h6.4M6.5 6.2L4.8 8l1.7 1.8M9.5 6.2L11.2 8 9.5 9.8",
  folder: "M2 12.8V3.5h4.2l1.6 2H14v7.3z",
  forward: "M6 3l5 5-5 5",
  help: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM6.3 6.4A1.8 1.8 0 1 1 8 8.3v.7M8 11.2v.2",
  key: "M5.2 7.6a2.8 2.8 0 1 0 .1 5.6 2.8 2.8 0 0 0-.1-5.6zM7.2 8.4L13 2.8M10.6 5.2l1.8 1.8",
  link: "M6.8 9.2l2.4-2.4M7.2 4.8l1.6-1.6a2.8 2.8 0 0 1 4 4L11.2 8.8M8.8 11.2l-1.6 1.6a2.8 2.8 0 0 1-4-4L4.8 7.2",
  logo: "",
  loop: "M3 8V6.5A2.5 2.5 0 0 1 5.5 4H13M11 2l2 2-2 2M13 8v1.5a2.5 2.5 0 0 1-2.5 2.5H3M5 10l-2 2 2 2",
  merge: "M1.5 8h4.5M4 6l2 2-2 2M14.5 8H10M12 6l-2 2 2 2",
  minus: "M3 8h10",
  moon: "M13 9.6A5.6 5.6 0 0 1 6.4 3a5.6 5.6 0 1 0 6.6 6.6z",
  more: "M3.5 8h.01M8 8h.01M12.5 8h.01",
  mute: "M2.5 6.2v3.6H5L8.2 12.5v-9L5 6.2zM10.8 6.3l3.2 3.4M14 6.3l-3.2 3.4",
  next: "M4 3.5L9.5 8 4 12.5zM12 3.5v9",
  pause: "M5.5 3.5v9M10.5 3.5v9",
  pin: "M5.5 2.5h5M6.2 2.5v4L4 9.5h8L9.8 6.5v-4M8 9.5v4.5",
  play: "M4.5 2.8v10.4L13 8z",
  previous: "M12 3.5L6.5 8l5.5 4.5zM4 3.5v9",
  redo: "M13 6.5H5.8a3.3 3.3 0 0 0 0 6.6H8M10.2 3.7L13 6.5l-2.8 2.8",
  right: "M6 3l5 5-5 5",
  sound: "M2.5 6.2v3.6H5L8.2 12.5v-9L5 6.2zM10.5 6a3 3 0 0 1 0 4M12.3 4.2a5.4 5.4 0 0 1 0 7.6",
  split: "M8 2.5v11M5.5 5.5L3 8l2.5 2.5M10.5 5.5L13 8l-2.5 2.5",
  sun: "M8 5.4a2.6 2.6 0 1 0 0 5.2 2.6 2.6 0 0 0 0-5.2zM8 1.5v1.6M8 12.9v1.6M1.5 8h1.6M12.9 8h1.6M3.4 3.4l1.1 1.1M11.5 11.5l1.1 1.1M3.4 12.6l1.1-1.1M11.5 4.5l1.1-1.1",
  tag: "M2.5 2.5h5l6 6-5 5-6-6zM5.3 5.3h.01",
  trouble: "M8 2a6 6 0 1 0 0 12A6 6 0 0 0 8 2zM8 5v3.6M8 11v.2",
  undo: "M3 6.5h7.2a3.3 3.3 0 0 1 0 6.6H8M5.8 3.7L3 6.5l2.8 2.8",
  upload: "M8 10.5v-8M4.8 5.5L8 2.5l3.2 3M3 13.5h10",
  wait: "M8 2.2l6.2 11H1.8zM8 6.5v3M8 11.4v.1",
};
const FILLED = new Set(["play"]);

/**
 * Returns an icon; hidden from screen readers, because text beside it or a label names it.
 *
 * @param {string} name - A key of `PATHS`.
 * @returns {SVGElement}
 */
export function icon(name) {
  if (!(name in PATHS)) throw new Error(`expected the name of an icon, not ${name}`);
  if (name === "logo") return logo();
  const svg = shape("svg", { viewBox: "0 0 16 16", class: "icon", "aria-hidden": "true" });
  const line = { fill: "none", stroke: "currentColor", "stroke-width": "1.6",
    "stroke-linecap": "round", "stroke-linejoin": "round" };
  const style = FILLED.has(name) ? { ...line, fill: "currentColor" } : line;
  svg.append(shape("path", { d: PATHS[name], ...style }));
  return svg;
}

function logo() {
  const svg = shape("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" });
  const line = { fill: "none", stroke: "var(--on-ink)", "stroke-width": "2",
    "stroke-linecap": "round", "stroke-linejoin": "round" };
  svg.append(shape("rect", { width: "24", height: "24", rx: "7", fill: "var(--ink)" }),
    shape("path", { d: "M5 13.5L8 8l3.5 6L15 7l4 4", ...line }),
    shape("path", { d: "M6 18h5M14 18h4", ...line, opacity: "0.7" }));
  return svg;
}

function shape(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
