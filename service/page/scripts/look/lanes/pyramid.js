/** Lowest and highest values of runs of 2, 4, 8, ... samples, so that any zoom reads few numbers. */

export class Pyramid {
  /** @param {Float32Array} values one class, in order of time */
  constructor(values) {
    /** @type {{low: Float32Array, high: Float32Array}[]} level k has runs of 2 ** k samples */
    this.levels = [{ low: values, high: values }];
    while (this.top.low.length > 2) this.levels.push(halved(this.top));
  }

  get top() {
    return this.levels[this.levels.length - 1];
  }

  /** @returns {number} the lowest level whose runs are at least `samples` long */
  levelFor(samples) {
    const level = Math.ceil(Math.log2(Math.max(samples, 1)));
    return Math.min(level, this.levels.length - 1);
  }
}

/** Below 0 is background, and the axis ends at 1. */
const clipped = (value) => Math.min(Math.max(value, 0), 1);

function halved({ low, high }) {
  const length = Math.ceil(low.length / 2);
  const next = { low: new Float32Array(length), high: new Float32Array(length) };
  for (let i = 0; i < length; i += 1) {
    const other = Math.min(2 * i + 1, low.length - 1);
    next.low[i] = Math.min(low[2 * i], low[other]);
    next.high[i] = Math.max(high[2 * i], high[other]);
  }
  return next;
}

/**
 * One class of an activation, with its times.
 * Snippet i lies around `firstS + i * snippetS`.
 */
export class Curve {
  /** @param activation as session.js has it @param {number} column of the class */
  constructor({ values, classes, snippets, snippetS, firstS }, column) {
    const samples = new Float32Array(snippets);
    for (let i = 0; i < snippets; i += 1) samples[i] = clipped(values[i * classes + column]);
    this.samples = samples;
    this.snippetS = snippetS;
    this.firstS = firstS;
    this.pyramid = new Pyramid(samples);
  }

  /** @returns {number} the activation at `timeS`, between the nearest two snippets */
  at(timeS) {
    const last = this.samples.length - 1;
    if (last < 0) return 0;
    const place = Math.min(Math.max((timeS - this.firstS) / this.snippetS, 0), last);
    const before = Math.floor(place);
    const after = Math.min(before + 1, last);
    return this.samples[before] + (this.samples[after] - this.samples[before]) * (place - before);
  }

  /**
   * @param {import("../scale.js").Scale} scale
   * @returns {{x0: number, dx: number, low: Float32Array, high: Float32Array, isRange: boolean}}
   *   at most one run a pixel; run i is drawn at pixel `x0 + i * dx`; `isRange` where a run
   *   has several samples
   */
  inView(scale) {
    const level = this.pyramid.levelFor(1 / (scale.pixelsPerS * this.snippetS));
    const { low, high } = this.pyramid.levels[level];
    const stepS = this.snippetS * 2 ** level;
    const firstS = this.firstS + (stepS - this.snippetS) / 2;
    const from = Math.max(Math.floor((scale.startS - firstS) / stepS) - 1, 0);
    const to = Math.min(Math.ceil((scale.endS - firstS) / stepS) + 2, low.length);
    return {
      x0: scale.x(firstS + from * stepS),
      dx: stepS * scale.pixelsPerS,
      isRange: level > 0,
      low: low.subarray(from, Math.max(to, from)),
      high: high.subarray(from, Math.max(to, from)),
    };
  }
}
