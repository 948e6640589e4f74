/** Steps of the ruler, from one frame to an hour. Pure functions. */

import { clock } from "../parts/format.js";

/** Least distance of two labels, in CSS pixels. */
const LEAST_PIXELS = 72;
const STEPS_S = [
  0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600,
];

/**
 * @param {number} pixelsPerS
 * @param {number | null} frameRate frames a second; null where unknown
 * @returns {number} the shortest step, in seconds, whose labels have room; an hour at most
 */
export function stepFor(pixelsPerS, frameRate) {
  const frames = frameRate ? [1 / frameRate, 2 / frameRate] : [0.01, 0.02];
  const steps = [...frames.filter((step) => step < STEPS_S[0]), ...STEPS_S];
  return steps.find((step) => step * pixelsPerS >= LEAST_PIXELS) ?? 3600;
}

/**
 * @param {{startS: number, endS: number}} view
 * @returns {number[]} the multiples of `stepS` in view
 */
export function ticks(view, stepS) {
  const first = Math.ceil(view.startS / stepS - 1e-9);
  const last = Math.floor(view.endS / stepS + 1e-9);
  return Array.from({ length: Math.max(last - first + 1, 0) }, (_, i) => (first + i) * stepS);
}

/** @returns {number} digits after the second that tell labels of this step apart */
export function digitsFor(stepS) {
  if (stepS >= 1) return 0;
  return Math.abs(stepS * 10 - Math.round(stepS * 10)) < 1e-9 ? 1 : 3;
}

/**
 * Draws the ruler: a tick and a label each step.
 * @param {import("./surface.js").Surface} surface
 * @param {import("./scale.js").Scale} scale
 * @param {{ticks: number[], stepS: number, inks: object}} marks
 */
export function paintRuler({ context, width, height }, scale, { ticks: times, stepS, inks }) {
  context.clearRect(0, 0, width, height);
  context.font = inks.font(12);
  context.textBaseline = "middle";
  context.textAlign = "center";
  const digits = digitsFor(stepS);
  for (const timeS of times) {
    const x = Math.round(scale.x(timeS));
    context.fillStyle = inks.field;
    context.fillRect(x, height - 5, 1, 5);
    const text = clock(timeS, { whole: digits === 0, milliseconds: digits === 3 });
    const half = context.measureText(text).width / 2;
    context.fillStyle = inks.ink2;
    if (x > half - 6 && x < width - half + 6) context.fillText(text, x, height / 2 - 2);
  }
  context.textAlign = "start";
}
