/** Bars of the classes of the video: score, threshold, and whether the lane is shown. */

import { button, el, fill } from "../parts/elements.js";
import { counted, score } from "../parts/format.js";
import { MOST_LANES } from "./lane_choice.js";
import { on, onceAFrame } from "./schedule.js";

/**
 * Fills a section with the classes of the session.
 *
 * @param {HTMLElement} root
 * @param {import("../result/session.js").Session} session
 * @param {AbortSignal} signal
 */
export function mountClassBars(root, session, signal) {
  let isOpen = false;
  const summary = el("span", { class: "quiet" });
  const bars = el("div", { class: "bars" });
  fill(
    root,
    el("div", { class: "card-head" }, el("h2", { id: "classes-title" }, "Classes"), summary),
    bars,
  );

  const paint = onceAFrame(() => {
    const threshold = session.options.classThreshold;
    const isAbove = ({ score: value }) => value >= threshold;
    const shown = session.classes.filter(
      (one) => isAbove(one) || session.lanes.includes(one.label),
    );
    const first = shown.slice(0, Math.max(MOST_LANES, session.lanes.length));
    const rest = session.classes.filter((one) => !first.includes(one));
    const above = session.classes.filter(isAbove).length;
    fill(summary, `${above} of ${session.classes.length} above ${score(threshold)}`);
    const toggle = () => {
      isOpen = !isOpen;
      paint();
    };
    const held = document.activeElement?.closest?.(".bars [data-control]")?.dataset.control;
    fill(
      bars,
      first.map((one) => barOf(session, one, threshold)),
      rest.length > 0 && fold(rest, rest.some(isAbove), isOpen, toggle),
      isOpen && rest.map((one) => barOf(session, one, threshold)),
    );
    if (held)
      [...bars.querySelectorAll("[data-control]")]
        .find((one) => one.dataset.control === held)
        ?.focus();
  }, signal);
  on(session, "segments lanes options", paint, signal);
  paint();
}

function fold(rest, hasStrong, isOpen, toggle) {
  const words = hasStrong
    ? `${rest.length} more`
    : `${counted(rest.length, "class")} below the threshold`;
  const made = button(words, toggle, { icon: isOpen ? "chevron" : "right", class: "plain fold" });
  made.setAttribute("aria-expanded", String(isOpen));
  made.dataset.control = "fold";
  return made;
}

function barOf(session, { label, score: value, color }, threshold) {
  const box = el("input", {
    type: "checkbox",
    class: "check",
    checked: session.lanes.includes(label),
    ariaLabel: `Lane of ${label}`,
    title: `Show the lane of ${label}`,
    dataset: { control: label },
    onchange: () => session.showLane(label, box.checked),
  });
  box.style.accentColor = `var(${color})`;
  const bar = el("span", {});
  bar.style.width = `${Math.min(100, 100 * value)}%`;
  bar.style.background = `var(${color})`;
  const tick = el("span", { class: "tick" });
  tick.style.left = `${Math.min(100, 100 * threshold)}%`;
  const meter = el(
    "div",
    {
      class: "meter",
      role: "meter",
      ariaLabel: `Score of ${label}`,
      ariaValuemin: 0,
      ariaValuemax: 1,
      ariaValuenow: Math.min(1, value),
      ariaValuetext: score(value),
    },
    bar,
  );
  return el(
    "div",
    { class: `bar-row ${value < threshold ? "below" : ""}` },
    el("label", { class: "bar-label" }, box, el("span", { class: "ends", title: label }, label)),
    el("span", { class: "bar-score strong" }, score(value)),
    el("div", { class: "bar-meter" }, meter, tick),
  );
}
