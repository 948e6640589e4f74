/** Keys of the time line and of its segments. */

import { bind } from "../parts/keys.js";
import { nearest } from "./lanes/lane_access.js";

/**
 * @param {import("./timeline.js").Timeline} timeline
 * @returns {() => void} ends them
 */
export function bindTimelineKeys(timeline) {
  const { session } = timeline;
  const isSelected = () => session.selected !== null;
  const segments = (key, text, does, when) => ({ key, text, does, when, group: "Segments" });
  const lanes = (key, text, does, when) => ({ key, text, does, when, group: "Time line" });
  return bind(
    segments("P", "Previous, next segment", () => session.nextSegment(-1)),
    segments("N", "Previous, next segment", () => session.nextSegment(1)),
    segments("ArrowUp", "Class above, below", () => across(timeline, -1)),
    segments("ArrowDown", "Class above, below", () => across(timeline, 1)),
    segments("Q", "Seek to its start, its end", () => session.seek(session.selected.startS), isSelected),
    segments("W", "Seek to its start, its end", () => session.seek(session.selected.endS), isSelected),
    segments("Escape", "Select nothing", () => session.select(null), isSelected),
    lanes("Z", "Closer, farther", () => timeline.zoom(1 / 2)),
    lanes("Shift+Z", "Closer, farther", () => timeline.zoom(2)),
    lanes("V", "Whole video", () => timeline.showAll()),
    lanes("B", "Fit the segment", () => timeline.fit(session.selected), isSelected),
    lanes("H", "Hide, show the lane", () => toggleLane(session)),
  );
}

/** Selects the nearest segment of the next lane that has one. */
function across({ session, model }, step) {
  const label = session.selected?.label;
  const at = model.lanes.findIndex((lane) => lane.label === label);
  const from = at < 0 && step < 0 ? model.lanes.length : at;
  const next = nearest(model.lanes, from, step, session.selected?.startS ?? session.timeS);
  if (next) session.select(next.id, { seek: true });
}

/** Hides the lane of the selected segment; without one, shows the lane that was hidden last. */
function toggleLane(session) {
  const { selected } = session;
  if (selected && session.lanes.includes(selected.label)) session.showLane(selected.label, false);
  else if (session.hidden.size) session.showLane([...session.hidden].at(-1), true);
}
