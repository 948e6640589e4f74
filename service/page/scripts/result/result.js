/** The result of a video: player, classes, sliders, list and time line of one session. */

import { mountCorrecting } from "../correct/correcting.js";
import { Saving } from "../correct/saving.js";
import { unsaved } from "../correct/edits.js";
import { button, el, fill } from "../parts/elements.js";
import { mountPlayer } from "../look/player.js";
import { mountTimeline } from "../look/timeline.js";
import { openMenu } from "../parts/menus.js";
import { announce, notify } from "../parts/notices.js";
import { loadActivation, openSession } from "./opening.js";
import { searchAgain } from "../panels/asking.js";
import { mountClassBars } from "../panels/class_bars.js";
import { DifferenceList, modelItems, modelText } from "../compare/difference_list.js";
import { copyLink, openExport } from "../panels/exports.js";
import { SegmentList } from "../panels/list/list.js";
import { readAgain, readToCompare } from "../compare/reading.js";
import { on, onceAFrame } from "../panels/schedule.js";
import { linkParams } from "../panels/settings_text.js";
import { mountSliders } from "../panels/sliders.js";
import { chooseTruth, mountMeasures } from "../compare/truth.js";
import { message, sentenceOf } from "../server/problems.js";
import { paintHeader, phoneBar } from "./result_header.js";
import { layOut } from "./result_layout.js";
import { guardLeaving, keepParams, navigate, route } from "../router.js";

/**
 * Shows the result of a job, or of features that the service localized.
 *
 * @param {HTMLElement} root
 * @param {{jobId?: string, activationId?: string, params: URLSearchParams,
 *   api: import("../server/api.js").Api, signal: AbortSignal}} view The signal ends everything.
 */
export async function showResult(root, { jobId, activationId, params, api, signal }) {
  const [session, capabilities] = await Promise.all([
    openSession(api, { jobId, activationId, params }),
    api.capabilities(),
  ]);
  if (signal.aborted) return;
  await new Result(root, session, { api, capabilities, signal }).start();
}

class Result {
  /**
   * @param {HTMLElement} root
   * @param {import("./session.js").Session} session
   * @param {{api: import("../server/api.js").Api, capabilities: import("../server/api.js").Capabilities,
   *   signal: AbortSignal}} view
   */
  constructor(root, session, { api, capabilities, signal }) {
    Object.assign(this, { session, api, capabilities, signal });
    this.saving = new Saving(session, api, { inFolder: capabilities.corrections, signal });
    Object.assign(this, layOut(root));
    this.#mount();
    const paint = onceAFrame(() => this.#paint(), signal);
    on(session, "mode history compare truth segments", paint, signal);
    this.#paint();
  }

  async start() {
    const { session, api, signal } = this;
    guardLeaving(() => this.saving.mayLeave());
    signal.addEventListener("abort", () => guardLeaving(null));
    document.getElementById("skip").hidden = false;
    announce(`${session.segments.length} segments`);
    const [activation] = await Promise.allSettled([
      loadActivation(api, session),
      this.saving.load(),
    ]);
    if (activation.status === "rejected") notify(sentenceOf(activation.reason), { kind: "error" });
  }

  #mount() {
    const { session, api, signal } = this;
    const player = mountPlayer(this.player, session, api);
    const timeline = mountTimeline(this.timeline, session);
    signal.addEventListener("abort", () => {
      player.destroy();
      timeline.destroy();
    });
    mountClassBars(this.classes, session, signal);
    mountSliders(this.sliders, session, { signal, readAgain: () => this.#readAgain() });
    mountMeasures(this.measures, session, signal);
    new SegmentList(this.list, session, signal);
    new DifferenceList(this.differences, session, signal);
    mountCorrecting(
      { toolbar: timeline.toolbar, classes: this.choice, changes: this.changes },
      session,
      { save: () => this.#save(), showClasses: () => this.tabs.choose("choice"), signal },
    );
    searchAgain(session, api, {
      signal,
      onError: (error) => this.#onSearchError(error),
      onAnswer: () => this.searchFault?.remove(),
    });
    const keepLink = () => {
      const name = route().params.get("name");
      keepParams({ ...(name ? { name } : {}), ...linkParams(session) });
    };
    on(session, "options", onceAFrame(keepLink, signal), signal);
  }

  #paint() {
    const { session } = this;
    const mode = session.correcting ? "correct" : session.modelB ? "compare" : "look";
    this.view.dataset.mode = mode;
    const offered = {
      look: ["list", "classes", "sliders"],
      compare: ["differences", "measures"],
      correct: ["list", "choice", "changes"],
    }[mode];
    this.tabs.offer(mode === "look" && session.truth ? [...offered, "measures"] : offered);
    this.tabs.setText("list", `Segments ${session.segments.length}`);
    paintHeader(session, this.#does);
    fill(this.phone, phoneBar(session, this.#does));
  }

  #does = {
    chooseModel: (anchor) => this.#chooseModel(anchor),
    chooseB: (anchor) => this.#chooseB(anchor),
    stopComparing: () => this.session.compareWith(null),
    chooseTruth: () => chooseTruth(this.session, this.messages),
    export: (anchor) => openExport(anchor, this.session, this.api, this.capabilities),
    save: () => this.#save(),
    copyLink: () => copyLink(this.session),
  };

  async #save() {
    if (unsaved(this.session.history)) await this.saving.save();
    else notify("There is no correction to save.");
  }

  /** Opens a menu of models, once the service has named them. */
  async #menuOfModels(anchor, chosen, choose, leaveOut) {
    if (!this.session.job) {
      notify("Features are not kept. Bring the .npy file in again with the other model.", {
        kind: "error",
      });
      return;
    }
    await this.#try(async () => {
      const items = modelItems(await this.api.models(), chosen, choose, leaveOut);
      openMenu(anchor, items.length ? items : [{ text: "There is no other model" }]);
    });
  }

  #chooseModel(anchor) {
    const { session, api } = this;
    return this.#menuOfModels(anchor, session.model, (model) =>
      this.#try(async () => {
        navigate("job", (await api.submitAgain(session.job.id, model)).id);
      }),
    );
  }

  #chooseB(anchor) {
    const { session } = this;
    return this.#menuOfModels(
      anchor,
      session.modelB,
      (model) =>
        this.#try(async () => {
          session.setCorrecting(false);
          await this.#reading(`Reading with ${modelText(model)}`, (view) =>
            readToCompare(this.api, session, model, view),
          );
        }),
      session.model,
    );
  }

  #readAgain() {
    return this.#try(() =>
      this.#reading("Reading it again", (view) => readAgain(this.api, this.session, view)),
    );
  }

  /** Shows a message while something reads the video. */
  async #reading(words, read) {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.signal, stop.signal]);
    const share = el("span", {});
    const cancel = button("Cancel", () => stop.abort(), { class: "plain" });
    const shown = message("amber", `${words}.`, "What you see stays until it is done.", {
      actions: [share, cancel],
    });
    this.messages.append(shown);
    const onProgress = (part) => fill(share, part === null ? null : `${Math.round(100 * part)} %`);
    try {
      await read({ signal, onProgress });
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      shown.remove();
    }
  }

  async #try(does) {
    try {
      await does();
    } catch (error) {
      if (this.signal.aborted) return;
      notify(sentenceOf(error), { kind: "error" });
    }
  }

  async #onSearchError(error) {
    if (!["unknown-model", "model-unavailable"].includes(error.type)) {
      this.#showFault(message("amber", "The search with these settings failed", sentenceOf(error)));
      return;
    }
    const { model } = this.session;
    const other = await this.#otherVersion();
    const use =
      other &&
      button(`Use version ${other.version}`, () =>
        this.#try(async () => {
          navigate("job", (await this.api.submitAgain(this.session.job.id, other)).id);
        }),
      );
    this.#showFault(
      message(
        "amber",
        `${model.name} version ${model.version} was unloaded`,
        "Sliders cannot search again until it is back. Export and corrections still work.",
        { actions: use ? [use] : [] },
      ),
    );
  }

  /** Shows why the last search failed, until one succeeds. */
  #showFault(fault) {
    this.searchFault?.remove();
    this.searchFault = fault;
    this.messages.append(fault);
  }

  async #otherVersion() {
    const { model, job } = this.session;
    if (!job) return null;
    const models = await this.api.models().catch(() => []);
    return (
      models
        .filter(
          (one) =>
            one.name === model.name && one.version !== model.version && one.state === "ready",
        )
        .sort((a, b) => b.version - a.version)[0] ?? null
    );
  }
}
