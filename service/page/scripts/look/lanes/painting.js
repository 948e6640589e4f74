/** Drawing of segments, truth and curves. Each function draws one thing into a 2-D context. */

import { score as scoreText } from "../../parts/format.js";

/** Segments at least this wide show their score. */
const SCORE_PIXELS = 34;
const LEAST_PIXELS = 3;
/** Points of a curve in one stroke: long strokes cost several times as much where no GPU draws. */
const CHUNK = 24;
const RADIUS = 4;
/** Space before the caption; more where a handle covers the edge. */
const INSET = 7;
const HELD_INSET = 11;

/** @returns {number} height of the line under a segment of a height */
const baseLine = (height) => (height >= 18 ? 3 : height >= 10 ? 2 : 1.5);

/** Marks of the states, as polylines in a square of 10 pixels. */
const MARKS = {
  accepted: [[[1, 5.5], [4, 8.5], [9, 2]]],
  changed: [[[1, 9], [1.5, 6.5], [7, 1], [9, 3], [3.5, 8.5], [1, 9]]],
  added: [[[5, 1], [5, 9]], [[1, 5], [9, 5]]],
};

/** @returns {{x: number, width: number}} the pixels of a segment, three or more */
export function extent(scale, { startS, endS }) {
  const x = scale.x(startS);
  return { x, width: Math.max(scale.x(endS) - x, LEAST_PIXELS) };
}

/**
 * Draws one segment.
 * @param {CanvasRenderingContext2D} context
 * @param {{x: number, y: number, width: number, height: number}} box
 * @param {object} segment as session.js has it
 * @param {{color: string, inks: object, hovered: boolean, strong: boolean, over: boolean,
 *   held: boolean}} look
 *   `strong` for the selected and the running segment; `over` where the curve shows through; `held`
 *   where the segment has handles
 */
export function paintSegment(context, box, segment, look) {
  if (segment.state === "rejected") paintRejected(context, box, look);
  else paintFilled(context, box, segment, look);
  if (look.strong) outline(context, box, look.inks.ink, 2);
  else if (look.hovered) outline(context, box, look.color, 1.5);
  paintCaption(context, box, segment, look);
}

function paintFilled(context, box, segment, { color, inks, over }) {
  rounded(context, box);
  context.fillStyle = inks.surface;
  if (!over) context.fill();
  context.fillStyle = color;
  context.globalAlpha = inks.opacity(segment.score);
  context.fill();
  context.globalAlpha = 1;
  const line = baseLine(box.height);
  context.fillRect(box.x, box.y + box.height - line, box.width, line);
}

function paintRejected(context, box, { inks }) {
  context.strokeStyle = inks.ink3;
  context.lineWidth = 1;
  context.setLineDash([3, 3]);
  rounded(context, inset(box, 0.5));
  context.stroke();
  context.setLineDash([]);
  const middle = Math.round(box.y + box.height / 2) + 0.5;
  if (box.width > 12) strokeLine(context, box.x + 4, middle, box.x + box.width - 4, middle);
}

/** The state's mark and the score, where they have room. */
function paintCaption(context, box, segment, { inks, held }) {
  const mark = MARKS[segment.state];
  if (box.height < 11 || box.width < 16 || segment.state === "rejected") return;
  const left = Math.max(box.x, 0) + (held ? HELD_INSET : INSET);
  const right = box.x + box.width;
  const middle = box.y + (box.height - baseLine(box.height)) / 2 + 0.5;
  if (mark && right - left > 10) paintMark(context, mark, left, middle - 5, inks.ink);
  const textLeft = left + (mark ? 16 : 0);
  if (segment.state === "added" || right - textLeft < SCORE_PIXELS - INSET) return;
  context.font = inks.font(box.height < 18 ? 11 : 12, 600);
  context.fillStyle = inks.ink;
  context.textBaseline = "middle";
  context.fillText(scoreText(segment.score), textLeft, middle + 0.5);
}

function paintMark(context, polylines, x, y, color) {
  context.strokeStyle = color;
  context.lineWidth = 1.6;
  context.beginPath();
  for (const points of polylines) {
    points.forEach(([dx, dy], i) => {
      if (i) context.lineTo(x + dx, y + dy);
      else context.moveTo(x + dx, y + dy);
    });
  }
  context.stroke();
}

/** Pixels of one lane, before they are copied to its place. */
const strip = document.createElement("canvas");

/**
 * Draws pixels as one image, because a path with a point for each of them takes most of a frame.
 * @param {(pixels: Uint32Array, ink: (opacity: number) => number) => void} fill writes the rows
 */
function paintPixels(context, [y, height], { width, rows }, color, fill) {
  const [red, green, blue] = channels(color);
  const rgb = (blue << 16) | (green << 8) | red;  // little-endian: alpha, blue, green, red
  const image = new ImageData(width, rows);
  fill(new Uint32Array(image.data.buffer), (opacity) => (Math.round(255 * opacity) << 24) | rgb);
  Object.assign(strip, { width, height: rows });
  strip.getContext("2d").putImageData(image, 0, 0);
  context.imageSmoothingEnabled = false;
  context.drawImage(strip, 0, 0, width, rows, 0, y, width, height);
}

/** Draws the highest score of each pixel. */
export function paintDense(context, scores, [y, height], { color, inks }) {
  const width = scores.length;
  const rows = Math.round(height);
  const base = (rows - Math.round(baseLine(height))) * width;
  paintPixels(context, [y, height], { width, rows }, color, (pixels, ink) => {
    const solid = ink(1);
    for (let x = 0; x < width; x += 1) {
      if (scores[x] <= 0) continue;
      const pale = ink(inks.opacity(scores[x]));
      for (let at = x; at < pixels.length; at += width) pixels[at] = at < base ? pale : solid;
    }
  });
}

/** @param {string} color as `rgb(24, 111, 181)` or `#186FB5` @returns {number[]} red, green, blue */
function channels(color) {
  if (color.startsWith("#")) return [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  return color.match(/[\d.]+/g).slice(0, 3).map(Number);
}

/** Draws one true segment, hatched, and a note beside it. */
export function paintTruth(context, box, note, { inks, room }) {
  context.save();
  rounded(context, inset(box, 0.75));
  context.fillStyle = inks.surface;
  context.fill();
  context.strokeStyle = inks.ink2;
  context.lineWidth = 1.5;
  context.stroke();
  context.clip();
  context.lineWidth = 1;
  context.beginPath();
  const from = Math.max(box.x - box.height, -box.height);
  for (let x = from - (from % 7); x < Math.min(box.x + box.width, room); x += 7) {
    context.moveTo(x, box.y + box.height);
    context.lineTo(x + box.height, box.y);
  }
  context.stroke();
  context.restore();
  if (note) paintNote(context, note, box, inks);
}

function paintNote(context, text, box, inks) {
  context.font = inks.font(12);
  context.fillStyle = inks.ink2;
  context.textBaseline = "middle";
  context.fillText(text, box.x + box.width + 8, box.y + box.height / 2 + 0.5);
}

/**
 * Draws an activation between 0 and 1: a line where a pixel has one snippet or fewer, else its
 * range.
 * @param samples from `Curve.inView`
 */
export function paintCurve(context, samples, [top, height], { color, filled, dashed }) {
  const { x0, dx, high, isRange } = samples;
  if (!high.length) return;
  const y = (value) => top + height * (1 - value);
  if (isRange && filled) return paintRange(context, samples, [top, height], color);
  if (filled) fillUnder(context, samples, y, color);
  context.strokeStyle = color;
  context.lineWidth = dashed ? 1.2 : 1.5;
  context.lineJoin = "bevel";
  context.setLineDash(dashed ? [4, 3] : []);
  const step = dashed ? high.length : CHUNK;
  for (let from = 0; from < high.length - 1; from += step) {
    const points = high.subarray(from, from + step + 1);
    polyline(context, x0 + from * dx, dx, points, y);
    context.stroke();
  }
  return context.setLineDash([]);
}

/** Starts a path through values at equal steps. */
function polyline(context, x0, dx, values, y) {
  context.beginPath();
  for (let i = 0; i < values.length; i += 1) context.lineTo(x0 + i * dx, y(values[i]));
}

function fillUnder(context, { x0, dx, high }, y, color) {
  polyline(context, x0, dx, high, y);
  context.lineTo(x0 + (high.length - 1) * dx, y(0));
  context.lineTo(x0, y(0));
  context.globalAlpha = 0.12;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 1;
}

/** A column for each pixel: pale up to the lowest value of its run, strong up to the highest. */
function paintRange(context, { x0, dx, low, high }, [top, height], color) {
  const width = Math.max(Math.ceil(x0 + (high.length - 1) * dx), 1);
  paintPixels(context, [top, height], { width, rows: height }, color, (pixels, ink) => {
    const [pale, strong] = [ink(0.12), ink(0.7)];
    for (let x = Math.max(Math.floor(x0), 0); x < width; x += 1) {
      const run = Math.min(Math.max(Math.round((x - x0) / dx), 0), high.length - 1);
      const upper = Math.round((height - 1) * (1 - high[run]));
      const lower = Math.round((height - 1) * (1 - low[run]));
      for (let y = upper; y < height; y += 1) pixels[y * width + x] = y <= lower ? strong : pale;
    }
  });
}

/** @type {Map<string, CanvasPattern>} dots by colour; dashes of a stroke cost several times more */
const dots = new Map();

function dotted(context, color) {
  if (!dots.has(color)) {
    const tile = Object.assign(document.createElement("canvas"), { width: 4, height: 1 });
    const dot = tile.getContext("2d");
    dot.fillStyle = color;
    dot.fillRect(0, 0, 1.5, 1);
    dots.set(color, context.createPattern(tile, "repeat"));
  }
  return dots.get(color);
}

/** Draws a dotted level line from pixel `x` to `end`. */
export function paintLevel(context, level, x, end, [top, height], color) {
  context.fillStyle = dotted(context, color);
  context.fillRect(x, Math.round(top + height * (1 - level)), end - x, 1);
}

function outline(context, box, color, width) {
  context.strokeStyle = color;
  context.lineWidth = width;
  rounded(context, inset(box, width / 2 - 1));
  context.stroke();
}

const inset = ({ x, y, width, height }, by) => ({
  x: x + by,
  y: y + by,
  width: Math.max(width - 2 * by, 1),
  height: Math.max(height - 2 * by, 1),
});

function rounded(context, { x, y, width, height }) {
  context.beginPath();
  context.roundRect(x, y, width, height, Math.min(RADIUS, width / 2, height / 2));
}

export function strokeLine(context, x0, y0, x1, y1) {
  context.beginPath();
  context.moveTo(x0, y0);
  context.lineTo(x1, y1);
  context.stroke();
}
