/**
 * Colour and shape of each class: one label, one colour, in A, B and truth.
 *
 * The colours are the custom properties `--class-1` to `--class-20` of the theme.
 */

export const COLORS = 20;
const SHAPES = ["square", "circle", "diamond"];

/**
 * Assigns a colour to every label and keeps it for the session.
 *
 * Up to 20 labels have the colour of their index in the model. More are numbered as they are first
 * shown, because the classes of one screen should differ. The shape changes every 20 labels.
 */
export class ClassColors {
  #number = new Map();

  /** @param {string[]} labels Labels in the order of the model. */
  constructor(labels) {
    if (labels.length <= COLORS) labels.forEach((label) => this.of(label));
  }

  /** Returns the custom property and the shape of the swatch of a label. */
  of(label) {
    if (!this.#number.has(label)) this.#number.set(label, this.#number.size);
    const number = this.#number.get(label);
    const round = Math.min(Math.floor(number / COLORS), SHAPES.length - 1);
    return { color: `--class-${(number % COLORS) + 1}`, shape: SHAPES[round] };
  }
}
