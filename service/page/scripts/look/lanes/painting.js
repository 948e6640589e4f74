/** Drawing of segments, truth and curves. Each function draws one thing into a 2-D context. */

import { score as scoreText } from "../../format.js";

/** Segments at least this wide show their score. */
const SCORE_PIXELS = 34;
const LEAST_PIXELS = 3;
const RADIUS = 4;
const BASE_LINE = 3;

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
 * @param {{color: string, inks: object, hovered: boolean, strong: boolean, over: boolean}} look
 *   `strong` for the selected and the running segment; `over` where the curve shows through
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
  const line = Math.min(BASE_LINE, box.height / 2);
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
function paintCaption(context, box, segment, { inks }) {
  const mark = MARKS[segment.state];
  if (box.height < 11 || box.width < 16 || segment.state === "rejected") return;
  const left = Math.max(box.x, 0) + 7;
  const right = box.x + box.width;
  const middle = box.y + (box.height - BASE_LINE) / 2 + 0.5;
  if (mark && right - left > 10) paintMark(context, mark, left, middle - 5, inks.ink);
  const textLeft = left + (mark ? 16 : 0);
  if (segment.state === "added" || right - textLeft < SCORE_PIXELS - 7) return;
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

/** Draws the highest score of each pixel, in runs of the same opacity. */
export function paintDense(context, scores, [y, height], { color, inks }) {
  context.fillStyle = color;
  const base = Math.min(BASE_LINE, height / 2);
  for (let x = 0; x < scores.length; ) {
    let end = x + 1;
    while (end < scores.length && scores[end] === scores[x]) end += 1;
    if (scores[x] > 0) {
      context.globalAlpha = inks.opacity(scores[x]);
      context.fillRect(x, y, end - x, height - base);
      context.globalAlpha = 1;
      context.fillRect(x, y + height - base, end - x, base);
    }
    x = end;
  }
}

/** Draws one true segment, hatched, and beside it who missed it. */
export function paintTruth(context, box, missedBy, { inks, room }) {
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
  if (missedBy) paintNote(context, `missed by ${missedBy}`, box, inks);
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
 * @param {{x0: number, dx: number, low: Float32Array, high: Float32Array}} samples from `Curve`
 */
export function paintCurve(context, samples, [top, height], { color, filled, dashed }) {
  const { x0, dx, low, high } = samples;
  if (!high.length) return;
  const y = (value) => top + height * (1 - Math.min(Math.max(value, 0), 1));
  context.beginPath();
  for (let i = 0; i < high.length; i += 1) context.lineTo(x0 + i * dx, y(high[i]));
  context.strokeStyle = color;
  context.lineWidth = dashed ? 1.2 : 1.5;
  context.lineJoin = "round";
  context.setLineDash(dashed ? [4, 3] : []);
  context.stroke();
  context.setLineDash([]);
  if (filled) fillUnder(context, samples, top + height, color);
  if (low !== high) fillRange(context, samples, y, color);
}

/** Closes the path of the line down to the zero line. */
function fillUnder(context, { x0, dx, high }, bottom, color) {
  context.lineTo(x0 + (high.length - 1) * dx, bottom);
  context.lineTo(x0, bottom);
  context.globalAlpha = 0.12;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 1;
}

function fillRange(context, { x0, dx, low, high }, y, color) {
  context.beginPath();
  for (let i = 0; i < high.length; i += 1) context.lineTo(x0 + i * dx, y(high[i]));
  for (let i = low.length - 1; i >= 0; i -= 1) context.lineTo(x0 + i * dx, y(low[i]));
  context.globalAlpha = 0.35;
  context.fillStyle = color;
  context.fill();
  context.globalAlpha = 1;
}

/** Draws a dotted level line from pixel `x` to `end`. */
export function paintLevel(context, level, x, end, [top, height], color) {
  context.strokeStyle = color;
  context.lineWidth = 1.2;
  context.setLineDash([1.5, 3.5]);
  const y = Math.round(top + height * (1 - level)) + 0.5;
  strokeLine(context, x, y, end, y);
  context.setLineDash([]);
}

/** Draws a ring around a box, as the focus has it. */
export function paintFocus(context, box, color) {
  outline(context, inset(box, -3), color, 2);
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
