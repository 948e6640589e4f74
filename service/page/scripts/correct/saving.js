/** Saving corrections: a download, and the service's folder where it has one. */

import { ask } from "../parts/dialogs.js";
import { counted } from "../parts/format.js";
import { notify } from "../parts/notices.js";
import {
  AnnotationsError,
  entryOf,
  fileOf,
  loadEdits,
  subsetOf,
  timesOf,
  videoId,
} from "../compare/annotations.js";
import { saveFile } from "../panels/save_file.js";
import { sentenceOf } from "../server/problems.js";
import { keepDraft, readDraft, removeDraft, removeOldDrafts } from "./drafts.js";
import { emptyHistory, markSaved, moveTo, push, unsaved } from "./edits.js";

const FOLDER =
  "Downloaded only: the service cannot write its folder of corrections. Ask the operator.";

export class Saving {
  #etag = null;
  /** Subset of the entry that was saved before. */
  #subset = null;

  /**
   * @param {import("../result/session.js").Session} session
   * @param {import("../server/api.js").Api} api
   * @param {{inFolder: boolean, signal: AbortSignal}} view `inFolder` where the service keeps
   *   corrections.
   */
  constructor(session, api, { inFolder, signal }) {
    Object.assign(this, { session, api, inFolder });
    this.video = session.job?.id ?? session.activationId;
    this.id = videoId(session.name);
    let warned = false;
    session.addEventListener(
      "history",
      () => {
        const draft = { history: session.history, etag: this.#etag, subset: this.#subset };
        const kept = keepDraft(this.video, draft);
        if (!kept && !warned)
          notify("This browser has no room for drafts. Save before you leave.", { kind: "error" });
        warned ||= !kept;
      },
      { signal },
    );
  }

  /** Takes the draft of this browser, else what the service has of this video. */
  async load() {
    removeOldDrafts();
    const draft = readDraft(this.video);
    if (draft) {
      this.#etag = draft.etag;
      this.#subset = subsetOf(draft);
      this.session.restore(draft.history);
    } else if (this.inFolder) await this.#loadSaved();
  }

  async #loadSaved() {
    try {
      const saved = await this.api.corrections(this.id);
      if (saved && !this.session.history.edits.length) this.#take(saved);
    } catch (error) {
      notify(`The saved corrections were not read. ${sentenceOf(error)}`, { kind: "error" });
    }
  }

  /** Puts saved corrections in the place of all others. */
  #take({ entry, etag }) {
    this.#etag = etag;
    this.#subset = subsetOf(entry);
    const edits = loadEdits(this.session.found, this.#timesOf(entry));
    const history = edits.reduce(push, emptyHistory());
    this.session.restore(markSaved(moveTo(history, edits.length)));
  }

  #timesOf(entry) {
    try {
      return timesOf(entry, this.id, "The service's folder");
    } catch (error) {
      if (!(error instanceof AnnotationsError)) throw error;
      notify(error.message, { kind: "error" });
      return [];
    }
  }

  /**
   * Saves: first into the service's folder, because another tab may have saved, then a download.
   *
   * @returns {Promise<boolean>} False where somebody chose not to.
   */
  async save() {
    const count = unsaved(this.session.history);
    const place = this.inFolder ? await this.#saveInFolder() : "download";
    if (place === "none") return false;
    saveFile(`${this.id}.corrections.json`, fileOf(this.id, this.#entry()));
    this.session.markSaved();
    const saved = `Saved ${counted(count, "correction")}`;
    if (place === "failed") notify(FOLDER, { kind: "error" });
    else notify(place === "folder" ? `${saved}, also in the service's folder.` : `${saved}.`);
    return true;
  }

  /** The video keeps the subset that it has in the saved entry, or else in the ground truth. */
  #entry() {
    const { segments, durationS, truth } = this.session;
    return entryOf(segments, durationS, this.#subset ?? truth?.subset ?? null);
  }

  async #saveInFolder() {
    for (;;) {
      try {
        this.#etag = await this.api.saveCorrections(this.id, this.#entry(), this.#etag);
        return "folder";
      } catch (error) {
        if (error.status !== 412) return "failed";
        const choice = await this.#meetOthers();
        if (choice !== "save") return "none";
      }
    }
  }

  /** Asks what to do with what another tab saved. */
  async #meetOthers() {
    const theirs = await this.api.corrections(this.id);
    if (!theirs) {
      this.#etag = null;
      return "save";
    }
    const times = this.#timesOf(theirs.entry);
    const at = theirs.saved ? ` at ${theirs.saved.toLocaleTimeString("en-GB")}` : "";
    const mine = unsaved(this.session.history);
    const choice = await ask(
      "Corrections were saved in another tab",
      `Since you opened this video, ${counted(times.length, "correction")} ` +
        `${times.length === 1 ? "was" : "were"} saved${at}. ` +
        `You have ${mine} that ${mine === 1 ? "is" : "are"} not saved.`,
      [
        { text: "Take theirs", value: "theirs" },
        { text: "Keep mine", value: "mine" },
        { text: "Put both together", value: "both", primary: true },
      ],
    );
    if (choice === "theirs") this.#take(theirs);
    if (choice !== "mine" && choice !== "both") return "none";
    this.#etag = theirs.etag;
    this.#subset = subsetOf(theirs.entry);
    if (choice === "both") this.#join(times);
    return "save";
  }

  /** Adds the segments of another tab that are not among the own ones. */
  #join(times) {
    const own = this.session.segments.filter((one) => one.state !== "found");
    const isOwn = (time) =>
      own.some(
        (one) =>
          one.label === time.label &&
          Math.abs(one.startS - time.startS) < 1e-6 &&
          Math.abs(one.endS - time.endS) < 1e-6,
      );
    const others = times.filter((time) => !isOwn(time));
    loadEdits(this.session.segments, others).forEach((edit) => this.session.edit(edit));
  }

  /** Asks before the view is left with corrections that are not saved. */
  async mayLeave() {
    const count = unsaved(this.session.history);
    if (!count) return true;
    const choice = await ask(`Save ${counted(count, "correction")}?`, "They are not saved yet.", [
      { text: "Stay", value: "stay" },
      { text: "Discard", value: "discard" },
      { text: "Save", value: "save", primary: true },
    ]);
    if (choice === "discard") removeDraft(this.video);
    return choice === "discard" || (choice === "save" && this.save());
  }
}
