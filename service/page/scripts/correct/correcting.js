/** Correcting: tool bar, classes, changes and keys together. */

import { bind } from "../parts/keys.js";
import { Actions } from "./actions.js";
import { mountChanges } from "./change_list.js";
import { ClassChoice, KEYED } from "./class_choice.js";
import { mountToolbar } from "./toolbar.js";

/**
 * Mounts what corrects the segments of a session.
 *
 * @param {{toolbar: HTMLElement, classes: HTMLElement, changes: HTMLElement}} roots
 * @param {import("../result/session.js").Session} session
 * @param {{save: () => void, showClasses: () => void, signal: AbortSignal}} view
 */
export function mountCorrecting(roots, session, { save, showClasses, signal }) {
  const actions = new Actions(session);
  const choice = new ClassChoice(roots.classes, session, signal);
  const chooseClass = () => {
    showClasses();
    choice.find();
  };
  mountChanges(roots.changes, session, signal);
  mountToolbar(roots.toolbar, session, { actions, chooseClass, signal });
  const unbind = bind(...keysOf(session, actions, choice, { save, chooseClass }));
  signal.addEventListener("abort", unbind);
}

function keysOf(session, actions, choice, { save, chooseClass }) {
  const when = () => session.correcting;
  const act = (key, text, does, more = {}) => ({
    key,
    text,
    does,
    group: "Correct",
    when,
    ...more,
  });
  const classKeys = Array.from({ length: KEYED }, (_, index) =>
    act(String(index + 1), "Class 1 to 9", () => choice.chooseByKey(index + 1), {
      show: index ? [] : ["1", "to", "9"],
    }),
  );
  const otherStep = () => (session.stepKind === "frame" ? "snippet" : "frame");
  return [
    act("E", "Correct, stop correcting", () => session.setCorrecting(!session.correcting), {
      when: () => !session.modelB,
    }),
    act("A", "Accept, reject", () => actions.accept()),
    act("X", "Accept, reject", () => actions.reject()),
    act("L", "Change the class", chooseClass),
    act("/", "Change the class", chooseClass, { show: [] }),
    ...classKeys,
    act("S", "Split at the playhead", () => actions.split()),
    act("M", "Merge with the next", () => actions.merge()),
    act("I", "Add: press at start and end", () => actions.add()),
    act("[", "Start earlier, later", () => actions.nudge("start", -1)),
    act("]", "Start earlier, later", () => actions.nudge("start", 1)),
    act("{", "End earlier, later", () => actions.nudge("end", -1)),
    act("}", "End earlier, later", () => actions.nudge("end", 1)),
    act("K", "Step by frame, by snippet", () => session.setStepKind(otherStep())),
    act("Delete", "Remove an added segment", () => actions.remove()),
    act("Ctrl+Z", "Undo", () => session.undo()),
    act("Ctrl+Shift+Z", "Redo", () => session.redo()),
    act("Ctrl+Y", "Redo", () => session.redo(), { show: [] }),
    act("Ctrl+S", "Save corrections", save),
    act("U", "Next unchecked", () => actions.nextUnchecked(), { group: "Segments" }),
  ];
}
