/** Header of the result: model, compare, ground truth, correct, export; or what correcting needs. */

import { unsaved } from "../correct/edits.js";
import { openKeys } from "../parts/dialogs.js";
import { button, el } from "../parts/elements.js";
import { clock, counted } from "../parts/format.js";
import { showHeader } from "../parts/header.js";
import { titled } from "../parts/keys.js";
import { openMenu } from "../parts/menus.js";
import { modelText } from "../compare/difference_list.js";
import { theme, toggleTheme } from "../parts/theme.js";

/**
 * Shows the header for the state of the session.
 *
 * @param {import("./session.js").Session} session
 * @param {Record<string, Function>} does What the buttons do: `chooseModel(anchor)`,
 *   `chooseB(anchor)`, `stopComparing`, `chooseTruth`, `export(anchor)`, `save`, `copyLink`.
 */
export function paintHeader(session, does) {
  const actions = session.correcting
    ? correctActions(session, does)
    : session.modelB
      ? compareActions(session, does)
      : lookActions(session, does);
  const count = unsaved(session.history);
  const note =
    count > 0 &&
    el(
      "span",
      { class: "unsaved wide", title: "Press Ctrl+S while correcting to save" },
      el("span", { class: "dot" }),
      `${counted(count, "correction")} not saved`,
    );
  showHeader({
    title: session.name,
    subtitle: clock(session.durationS),
    note: note || undefined,
    actions,
  });
}

const menuButton = (text, act, options = {}) => {
  const made = button(text, () => act(made), { after: "chevron", ...options });
  made.setAttribute("aria-haspopup", "menu");
  return made;
};

/** A button with a grey word before its text: "Model lifting · version 3". */
function modelButton(word, model, act, kind = "quiet") {
  const made = menuButton(modelText(model), act, { class: "wide model-button" });
  made.prepend(el("span", { class: kind }, word));
  return made;
}

const exportButton = (does) => menuButton("Export", does.export, { class: "primary wide" });

function truthButton(session, does) {
  const { truth } = session;
  if (!truth) return button("Ground truth", does.chooseTruth, { icon: "eye", class: "wide" });
  const made = button(truth.name, () => session.setTruth(null), {
    icon: "eye",
    after: "close",
    class: "wide truth",
    title: `Take ${truth.name} away`,
  });
  made.setAttribute("aria-label", `Ground truth ${truth.name}, take it away`);
  return made;
}

function lookActions(session, does) {
  const correct = button("Correct", () => session.setCorrecting(true), {
    icon: "correct",
    class: "wide",
    title: titled("Correct", "E"),
  });
  return [
    modelButton("Model", session.model, does.chooseModel),
    menuButton("Compare", does.chooseB, { icon: "compare", after: undefined, class: "wide" }),
    truthButton(session, does),
    correct,
    exportButton(does),
    ...phoneActions(session, does),
  ];
}

function compareActions(session, does) {
  return [
    modelButton("A", session.model, does.chooseModel, "strong"),
    el("span", { class: "quiet wide" }, "with"),
    modelButton("B", session.modelB, does.chooseB, "strong"),
    button("Stop comparing", does.stopComparing, { icon: "close", class: "plain" }),
    el("span", { class: "bar wide" }),
    truthButton(session, does),
    exportButton(does),
    ...phoneActions(session, does),
  ];
}

function correctActions(session, does) {
  const { edits, position } = session.history;
  const undo = button("Undo", () => session.undo(), {
    icon: "undo",
    only: true,
    title: titled("Undo", "Ctrl+Z"),
    disabled: position === 0,
  });
  const redo = button("Redo", () => session.redo(), {
    icon: "redo",
    only: true,
    title: titled("Redo", "Ctrl+Shift+Z"),
    disabled: position === edits.length,
  });
  if (undo.disabled) undo.title = "There is nothing to undo";
  if (redo.disabled) redo.title = "There is nothing to redo";
  const save = button("Save", does.save, {
    icon: "download",
    class: "primary",
    ariaLabel: "Save corrections",
    title: titled("Save corrections", "Ctrl+S"),
  });
  save.lastChild.append(el("span", { class: "wide" }, " corrections"));
  return [
    undo,
    redo,
    button("Stop correcting", () => session.setCorrecting(false), {
      title: titled("Stop correcting", "E"),
      class: "wide",
    }),
    save,
  ];
}

function phoneActions(session, does) {
  const more = button(
    "More",
    () =>
      openMenu(more, [
        { text: `Model: ${modelText(session.model)}`, does: () => does.chooseModel(more) },
        {
          text: session.truth ? `Take ${session.truth.name} away` : "Ground truth",
          icon: "eye",
          does: session.truth ? () => session.setTruth(null) : does.chooseTruth,
        },
        "line",
        {
          text: theme() === "dark" ? "Light" : "Dark",
          icon: theme() === "dark" ? "sun" : "moon",
          does: toggleTheme,
        },
        { text: "Keys", icon: "help", does: openKeys },
      ]),
    { icon: "more", only: true, class: "plain phone" },
  );
  more.setAttribute("aria-haspopup", "menu");
  const link = button("Copy link to this view", does.copyLink, {
    icon: "link",
    only: true,
    class: "plain phone",
  });
  return [link, more];
}

/** Returns the bar at the bottom of a phone. */
export function phoneBar(session, does) {
  const compare = session.modelB
    ? button("Stop comparing", does.stopComparing, { icon: "close" })
    : button("Compare", () => does.chooseB(compare), { icon: "compare" });
  const correct = button(
    session.correcting ? "Stop" : "Correct",
    () => session.setCorrecting(!session.correcting),
    {
      icon: "correct",
      disabled: session.modelB !== null,
      title: session.modelB ? "Stop comparing first" : titled("Correct", "E"),
    },
  );
  const last = button("Export", () => does.export(last), { icon: "download", class: "primary" });
  return [compare, correct, last];
}
