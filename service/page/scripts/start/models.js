/** The model that videos are sent to: chosen once, kept for the next visit. */

import { button, el, fill } from "../parts/elements.js";
import { counted } from "../parts/format.js";
import { openMenu } from "../parts/menus.js";
import { sentence } from "../server/problems.js";
import { takesVideos } from "./accepting.js";

const KEPT = "model";
const CHECK_AGAIN_MS = 5000;
const NAMED_CLASSES = 8;

/**
 * The card with the model. Dispatches `change` when another one is chosen, or the first appears.
 */
export class ModelCard extends EventTarget {
  /** @type {import("../server/api.js").ModelSummary[]} */
  #all = [];
  #api;
  #signal;
  /** @type {import("../server/api.js").ModelSummary|null} The chosen model. */
  chosen = null;
  element = el("section", { class: "card model-card", ariaLabel: "Model" });

  constructor(api, signal) {
    super();
    this.#api = api;
    this.#signal = signal;
  }

  /** Loads the models; asks again while there is none. */
  async load() {
    this.#all = await this.#api.models();
    if (this.#signal.aborted) return;
    const ready = this.#all.filter((model) => model.state === "ready");
    const before = keyOf(this.chosen);
    this.chosen = ready.find((model) => keyOf(model) === localStorage.getItem(KEPT))
      ?? firstOf(ready);
    if (before !== keyOf(this.chosen)) this.dispatchEvent(new Event("change"));
    await this.#paint();
    if (!this.chosen) this.#lookLater();
  }

  #lookAgain() {
    if (!this.#signal.aborted) this.load().catch(() => this.#lookLater());
  }

  #lookLater() {
    setTimeout(() => this.#lookAgain(), CHECK_AGAIN_MS);
  }

  async #paint() {
    if (!this.chosen) {
      fill(this.element, el("p", {},
        "No model is loaded. Put one into the models folder; it appears by itself."),
        ...failedOnes(this.#all));
      return;
    }
    const classes = el("p", { class: "small quiet ends" });
    const change = button("Change", () => this.#choose(change), { after: "chevron" });
    change.setAttribute("aria-haspopup", "menu");
    change.setAttribute("aria-label", "Change the model");
    fill(this.element, el("div", {},
      el("p", { class: "small quiet" }, "Model"),
      el("p", { class: "name ends", title: nameOf(this.chosen) }, nameOf(this.chosen)), classes),
    change);
    await this.#describe(this.chosen, classes);
  }

  async #describe(model, line) {
    const count = model.classes ? counted(model.classes, "class") : "";
    line.textContent = count || "\u00a0";
    const { spec } = await this.#api.model(model);
    const labels = spec?.labels ?? [];
    const some = labels.slice(0, NAMED_CLASSES).join(", ");
    line.textContent = `${count}: ${some}${labels.length > NAMED_CLASSES ? ", …" : ""}`;
    line.title = labels.join(", ");
  }

  #choose(anchor) {
    const items = this.#all.map((model) => ({
      text: nameOf(model),
      hint: model.state === "ready" ? counted(model.classes, "class") : model.state,
      checked: keyOf(model) === keyOf(this.chosen),
      disabled: model.state === "ready" ? undefined
        : sentence(model.error ?? "This version is not loaded"),
      does: () => this.#take(model),
    }));
    openMenu(anchor, [{ text: "Models" }, ...items]);
  }

  #take(model) {
    localStorage.setItem(KEPT, keyOf(model));
    this.chosen = model;
    this.#paint().catch(() => {});
    this.element.querySelector("button").focus();
    this.dispatchEvent(new Event("change"));
  }
}

/** Returns "lifting · version 3". */
export function nameOf(model) {
  return `${model.name} · version ${model.version}`;
}

function keyOf(model) {
  return model && `${model.name}/${model.version}`;
}

/** Returns the newest version of the first model; of one that takes videos, if there is one. */
function firstOf(models) {
  const name = (models.find(takesVideos) ?? models[0])?.name;
  return models.filter((model) => model.name === name)
    .reduce((best, model) => (best && best.version > model.version ? best : model), null);
}

function failedOnes(models) {
  return models.filter((model) => model.state === "failed").slice(0, 3).map((model) =>
    el("p", { class: "small quiet" }, `${nameOf(model)}: ${sentence(model.error ?? "failed")}`));
}
