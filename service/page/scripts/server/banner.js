/** The banner while the service does not answer. */

import { button, el, fill } from "../parts/elements.js";
import { icon } from "../parts/icons.js";
import { alertOf, announce } from "../parts/notices.js";

const FIRST_PAUSE_S = 2;
const LONGEST_PAUSE_S = 30;
const STAYS = "What you see and your corrections stay on this page.";

/** Dispatches `back` when the service answers again. */
export const serviceChanges = new EventTarget();

/** Asks in growing pauses whether the service is back, and counts the seconds down. */
export class Banner {
  #element;
  #isThere = async () => true;
  #pauseS = FIRST_PAUSE_S;
  #leftS = 0;
  #timer = 0;

  /** @param {HTMLElement} element */
  constructor(element) {
    this.#element = element;
  }

  /** @param {() => Promise<boolean>} isThere - Whether the service answers. */
  start(isThere) {
    this.#isThere = isThere;
  }

  /** Shows the banner, unless it is shown. */
  show() {
    if (!this.#element.hidden) return;
    this.#pauseS = FIRST_PAUSE_S;
    this.#element.hidden = false;
    this.#wait();
    alertOf(`The service does not answer. ${STAYS}`);
  }

  #wait() {
    this.#leftS = this.#pauseS;
    this.#pauseS = Math.min(LONGEST_PAUSE_S, 2 * this.#pauseS);
    clearInterval(this.#timer);
    this.#timer = setInterval(() => this.#count(), 1000);
    this.#paint();
  }

  #count() {
    this.#leftS -= 1;
    if (this.#leftS <= 0) this.#try();
    else this.#words.textContent = this.#sentence();
  }

  async #try() {
    clearInterval(this.#timer);
    if (!await this.#isThere()) {
      this.#wait();
      return;
    }
    this.#element.hidden = true;
    announce("The service answers again.");
    serviceChanges.dispatchEvent(new Event("back"));
  }

  #words = el("span");

  #sentence() {
    return ` Trying again in ${this.#leftS} s. ${STAYS}`;
  }

  #paint() {
    this.#words.textContent = this.#sentence();
    fill(this.#element, icon("wait"),
      el("p", {}, el("b", {}, "The service does not answer."), this.#words),
      button("Try now", () => this.#try()));
  }
}
