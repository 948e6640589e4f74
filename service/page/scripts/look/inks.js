/** Colours and fonts of the theme for canvases, with the opacity that a score has. */

import { palette, theme } from "../parts/theme.js";

const FAINTEST = 0.12;
const STRONGEST = { light: 0.55, dark: 0.4 };

let known = null;

/** @returns {Inks} those of the theme in force; the same object until the theme changes */
export function inks() {
  if (known?.colors !== palette()) known = new Inks(palette(), theme());
  return known;
}

class Inks {
  constructor(colors, name) {
    this.colors = colors;
    Object.assign(this, colors);
    this.family = getComputedStyle(document.body).fontFamily;
    this.strongest = STRONGEST[name];
  }

  /** @param {string} property for instance `--class-3` @returns {string} its colour */
  class(property) {
    return this.classes[Number(property.slice("--class-".length)) - 1];
  }

  /** @returns {number} opacity of a segment: 12 % up to a score of 0.20, most from 1.00 on */
  opacity(score) {
    const share = Math.min(Math.max((score - 0.2) / 0.8, 0), 1);
    return FAINTEST + share * (this.strongest - FAINTEST);
  }

  font(pixels, weight = 400) {
    return `${weight} ${pixels}px ${this.family}`;
  }
}
