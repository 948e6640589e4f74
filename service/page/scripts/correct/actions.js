/** What somebody does to the selected segment, by button or key. */

import { clock } from "../parts/format.js";
import { announce, notify } from "../parts/notices.js";
import { changeText } from "./change_text.js";
import { accept, add, changes, merge, reject, remove, split } from "./edits.js";

export class Actions {
  /** @param {import("../result/session.js").Session} session */
  constructor(session) {
    this.session = session;
  }

  #edit(edit) {
    const done = this.session.edit(edit);
    if (done) this.#speak(edit);
    return done;
  }

  #speak(edit) {
    const { text, detail } = changeText(changes([edit])[0]);
    announce(`${text} ${detail}`);
  }

  /** Accepts the selected segment and selects the next unchecked one. */
  accept() {
    const { selected } = this.session;
    if (!selected) return this.#needsSelection();
    this.#edit(accept(selected));
    return this.nextUnchecked();
  }

  /** Rejects the selected segment and selects the next unchecked one. */
  reject() {
    const { selected } = this.session;
    if (!selected) return this.#needsSelection();
    if (this.#edit(reject(selected))) {
      const undo = { text: "Undo", does: () => this.session.undo() };
      notify(`Rejected ${selected.label} ${clock(selected.startS)}.`, { action: undo });
    }
    return this.nextUnchecked();
  }

  nextUnchecked() {
    if (!this.session.nextUnchecked()) announce("Every segment is checked.");
  }

  split() {
    const { selected, timeS, newId } = this.session;
    if (!selected) return this.#needsSelection();
    if (!this.#edit(split(selected, timeS, newId))) {
      notify("Move the playhead into the segment, then split it.");
    }
    return null;
  }

  merge() {
    const { selected, segments, newId } = this.session;
    if (!selected) return this.#needsSelection();
    if (!this.#edit(merge(selected, segments, newId))) {
      notify(`There is no later segment of ${selected.label} to merge with.`);
    }
    return null;
  }

  /** Adds a segment between the first and the second press. */
  add() {
    const { session } = this;
    const { addStartS, timeS, newId } = session;
    if (addStartS === null) {
      session.setAddStart(timeS);
      announce(`Starts at ${clock(timeS)}. Press I again at its end.`);
      return;
    }
    const label = session.selected?.label ?? session.lanes[0] ?? session.classes[0].label;
    session.setAddStart(null);
    const done = this.#edit(add(label, addStartS, timeS, newId));
    if (!done) notify("Move the playhead on before the second press of I.");
  }

  remove() {
    const { selected } = this.session;
    if (!selected) return;
    const done = this.#edit(remove(selected));
    if (!done) notify("Only an added segment can be removed. Reject this one (X).");
  }

  /** Moves an edge of the selected segment by a frame or a snippet. */
  nudge(edge, step) {
    const { selected, stepS } = this.session;
    if (!selected) return this.#needsSelection();
    const fromS = edge === "start" ? selected.startS : selected.endS;
    return this.moveEdge(edge, fromS + step * stepS);
  }

  /** Moves an edge of the selected segment to a time, and the playhead with it. */
  moveEdge(edge, timeS) {
    const { session } = this;
    const { selectedId } = session;
    session.moveEdge(selectedId, edge, timeS);
    const moved = session.segment(selectedId);
    if (moved) session.seek(edge === "start" ? moved.startS : moved.endS);
  }

  #needsSelection() {
    notify("Select a segment first, in the list or with N.");
    return null;
  }
}
