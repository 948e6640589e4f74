/** Tool bar of correcting, in the bar of the time line. */

import { capOf } from "../parts/dialogs.js";
import { button, el, fill } from "../parts/elements.js";
import { clock, span } from "../parts/format.js";
import { titled } from "../parts/keys.js";
import { classMark } from "../panels/class_mark.js";
import { on, onceAFrame } from "../panels/schedule.js";
import { parseClock } from "./time_field.js";

/**
 * Fills the bar.
 *
 * @param {HTMLElement} root
 * @param {import("../result/session.js").Session} session
 * @param {{actions: import("./actions.js").Actions, chooseClass: () => void, signal: AbortSignal}} view
 */
export function mountToolbar(root, session, { actions, chooseClass, signal }) {
  const name = el("span", { class: "tool-class strong" });
  const keyed = (text, key, icon, does, longer = text) => {
    const made = button(text, does, { icon, title: titled(longer, key) });
    made.append(capOf(key));
    return made;
  };
  const addButton = keyed("Add", "I", "add", () => actions.add(), "Add: press at start and end");
  const needing = [
    keyed("Accept", "A", "accept", () => actions.accept()),
    keyed("Reject", "X", "close", () => actions.reject()),
    keyed("Class", "L", "tag", chooseClass, "Change the class"),
    keyed("Split", "S", "split", () => actions.split(), "Split at the playhead"),
    keyed("Merge", "M", "merge", () => actions.merge(), "Merge with the next"),
  ];
  const [acceptButton, rejectButton, classButton, splitButton, mergeButton] = needing;
  for (const plain of [splitButton, mergeButton, addButton]) plain.classList.add("plain");
  const start = new EdgeField(session, actions, "start", "Start", "[", "]");
  const end = new EdgeField(session, actions, "end", "End", "{", "}");
  const length = el("span", { class: "quiet tool-length" });
  const steps = stepChoice(session);
  root.classList.add("toolbar");
  root.setAttribute("role", "toolbar");
  root.setAttribute("aria-label", "Correct the selected segment");
  fill(
    root,
    name,
    acceptButton,
    rejectButton,
    classButton,
    el("span", { class: "bar" }),
    splitButton,
    mergeButton,
    addButton,
    el("span", { class: "bar" }),
    start.element,
    end.element,
    length,
    el("span", { class: "rest tool-step" }, el("span", { class: "quiet" }, "Step"), steps.element),
  );

  const paint = onceAFrame(() => {
    const { selected, addStartS } = session;
    fill(
      name,
      selected ? classMark(session, selected.label) : el("span", { class: "quiet" }, "No segment"),
    );
    for (const one of needing) one.disabled = !selected;
    addButton.setAttribute("aria-pressed", String(addStartS !== null));
    addButton.querySelector("span").textContent = addStartS === null ? "Add" : "End here";
    start.paint(selected);
    end.paint(selected);
    fill(length, selected ? span(selected.endS - selected.startS, { digits: 2 }) : null);
    steps.paint();
  }, signal);
  on(session, "selection segments mode", paint, signal);
  paint();
}

/** Time of an edge with a button on either side; a typed time moves the edge. */
class EdgeField {
  constructor(session, actions, edge, text, earlier, later) {
    this.edge = edge;
    const nudge = (step) => () => actions.nudge(edge, step);
    const word = text.toLowerCase();
    this.back = button(`Move the ${word} back`, nudge(-1), {
      icon: "minus",
      only: true,
      title: titled(`${text} earlier`, earlier),
    });
    this.on = button(`Move the ${word} on`, nudge(1), {
      icon: "add",
      only: true,
      title: titled(`${text} later`, later),
    });
    this.field = el("input", {
      class: "field",
      type: "text",
      inputMode: "decimal",
      spellcheck: false,
      ariaLabel: `${text} of the segment`,
      onchange: () => {
        const timeS = parseClock(this.field.value);
        if (timeS !== null && session.selected) actions.moveEdge(edge, timeS);
        this.paint(session.selected);
      },
    });
    this.element = el(
      "div",
      { class: "edge" },
      el("span", { class: "quiet" }, text),
      el("div", { class: "edge-field" }, this.back, this.field, this.on),
    );
  }

  paint(selected) {
    for (const one of [this.back, this.field, this.on]) one.disabled = !selected;
    const timeS = selected && (this.edge === "start" ? selected.startS : selected.endS);
    this.field.value = selected ? clock(timeS, { milliseconds: true }) : "";
  }
}

function stepChoice(session) {
  const kinds = [
    ["frame", "Frame"],
    ["snippet", "Snippet"],
  ];
  const choices = kinds.map(([kind, text]) =>
    el(
      "button",
      {
        type: "button",
        role: "radio",
        title: titled(`Step by ${kind}`, "K"),
        onclick: () => session.setStepKind(kind),
      },
      text,
    ),
  );
  const group = el(
    "div",
    {
      class: "segmented",
      role: "radiogroup",
      ariaLabel: "Step of an edge",
      onkeydown: (event) => {
        if (!event.key.startsWith("Arrow")) return;
        event.preventDefault();
        session.setStepKind(session.stepKind === "frame" ? "snippet" : "frame");
        choices.find((one) => one !== document.activeElement).focus();
      },
    },
    choices,
  );
  const paint = () =>
    kinds.forEach(([kind], index) => {
      const isChosen = session.stepKind === kind;
      choices[index].setAttribute("aria-checked", String(isChosen));
      choices[index].tabIndex = isChosen ? 0 : -1;
    });
  return { element: group, paint };
}
