/** The grip between player and time line: drags the border, a double click puts it back. */

import { el } from "../parts/elements.js";

const STEP_PX = 24;
const LEAST_PX = 160;

/**
 * Returns the grip.
 *
 * @param {HTMLElement} root Gets the custom property `--time-line`, the height of the lower half.
 * @param {HTMLElement} lower
 */
export function gripOf(root, lower) {
  const grip = el("div", {
    class: "grip",
    role: "separator",
    tabIndex: 0,
    ariaOrientation: "horizontal",
    ariaLabel: "Height of the time line",
    title: "Drag; a double click puts it back",
  });
  const most = () => Math.max(LEAST_PX, root.clientHeight - 2 * LEAST_PX);
  const set = (height) => {
    const within = Math.min(Math.max(height, LEAST_PX), most());
    root.style.setProperty("--time-line", `${within}px`);
    tell(within);
  };
  const tell = (height) => {
    const share = Math.round((100 * height) / Math.max(1, root.clientHeight));
    grip.setAttribute("aria-valuenow", String(Math.min(100, share)));
    grip.setAttribute("aria-valuetext", `${share} % of the page`);
  };
  const reset = () => {
    root.style.removeProperty("--time-line");
    tell(lower.offsetHeight);
  };
  grip.addEventListener("pointerdown", (event) => {
    grip.setPointerCapture(event.pointerId);
    const from = lower.offsetHeight + event.clientY;
    const drag = ({ clientY }) => set(from - clientY);
    grip.addEventListener("pointermove", drag);
    grip.addEventListener(
      "lostpointercapture",
      () => grip.removeEventListener("pointermove", drag),
      { once: true },
    );
  });
  grip.addEventListener("dblclick", reset);
  grip.addEventListener("keydown", (event) => {
    const step = { ArrowUp: STEP_PX, ArrowDown: -STEP_PX }[event.key];
    if (step) set(lower.offsetHeight + step);
    else if (event.key === "Home" || event.key === "Escape") reset();
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  tell(LEAST_PX);
  return grip;
}
