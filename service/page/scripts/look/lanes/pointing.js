/** Pointer and wheel over ruler and lanes. */

import { clock, score } from "../../parts/format.js";
import { onDrag } from "../drag.js";
import { panned, zoomed } from "../scale.js";
import { linesOf } from "./tip.js";

/** Movement that makes a drag out of a press, in pixels. */
const DRAG_PIXELS = 4;
/** Zoom of one notch of a wheel, as a power of e for each pixel. */
const ZOOM_PER_PIXEL = 0.002;
/** Pixels of a line and of a page, where the wheel counts in those. */
const WHEEL_UNITS = [1, 16, 400];

/**
 * Listens on the track of the lanes, and on that of the ruler.
 * @param {import("../timeline.js").Timeline} timeline
 */
export function listenToPointer(timeline) {
  const { lanes, ruler, body } = timeline.nodes;
  onDrag(ruler, {
    start: (event) => { timeline.hold(true); seekTo(timeline, event); },
    move: (event) => seekTo(timeline, event),
    end: () => timeline.hold(false),
  });
  pressLanes(timeline, lanes);
  lanes.addEventListener("pointermove", (event) => hover(timeline, event));
  lanes.addEventListener("pointerleave", () => timeline.hover(null));
  lanes.addEventListener("dblclick", (event) => {
    const hit = hitOf(timeline, event);
    if (hit && hit.source !== "truth") timeline.session.playSegment(hit.segment.id);
  });
  body.addEventListener("wheel", (event) => turn(timeline, event), { passive: false });
}

function seekTo({ session, timeAt }, event) {
  session.seek(timeAt(event.clientX));
}

function hitOf({ model, scale, nodes }, { clientX, clientY }) {
  const { left, top } = nodes.canvas.getBoundingClientRect();
  return model.hit(scale, clientX - left, clientY - top);
}

/** A click acts on the segment that it hits, or seeks; a drag scrubs by mouse and pans by finger. */
function pressLanes(timeline, lanes) {
  const { session } = timeline;
  let from = null;
  onDrag(lanes, {
    start: (event) => {
      from = { x: event.clientX, view: session.view, hit: hitOf(timeline, event), moved: false };
      timeline.hover(null);
    },
    move: (event) => {
      const by = event.clientX - from.x;
      if (!from.moved && Math.abs(by) < DRAG_PIXELS) return;
      from.moved = true;
      timeline.hold(true);
      if (event.pointerType === "mouse") seekTo(timeline, event);
      else timeline.setView(panned(from.view, -by / timeline.scale.pixelsPerS, session.durationS));
    },
    end: (event) => {
      timeline.hold(false);
      if (from.moved || event.type === "pointercancel") return;
      const { hit } = from;
      if (hit) session.click(hit.segment);
      else session.seek(timeline.timeAt(event.clientX));
    },
  });
}

function hover(timeline, event) {
  if (event.buttons || event.pointerType === "touch") return;
  const hit = hitOf(timeline, event);
  const { left, top } = timeline.nodes.canvas.getBoundingClientRect();
  if (hit) {
    const [y, height] = placeOf(timeline.model, hit);
    const x = Math.max(timeline.scale.x(hit.segment.startS), 0) + left;
    timeline.hover(hit.segment.id ?? null);
    timeline.tip.show(...linesOf(hit), { left: x, top: top + y, bottom: top + y + height });
    return;
  }
  timeline.hover(null);
  hoverCurve(timeline, event, { left, top });
}

function placeOf(model, { lane, source, segment }) {
  const index = lane.sources[source];
  return model.place(lane, source, index.places[index.segments.indexOf(segment)]);
}

function hoverCurve({ model, scale, tip }, { clientX, clientY }, { left, top }) {
  const lane = model.laneAt(clientY - top);
  const curve = lane && model.curve(lane);
  if (!curve || clientX < left) return;
  const timeS = scale.time(clientX - left);
  const text = `${clock(timeS)} · activation ${score(curve.at(timeS))}`;
  tip.show(lane.label, text, { left: clientX + 10, top: clientY, bottom: clientY + 10 });
}

/** The wheel alone scrolls the lanes; with Ctrl it zooms at the pointer, with Shift it pans. */
function turn(timeline, event) {
  const { session, scale } = timeline;
  const unit = WHEEL_UNITS[event.deltaMode];
  const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
  if (event.ctrlKey || event.metaKey) {
    event.preventDefault();
    const factor = Math.exp(event.deltaY * unit * ZOOM_PER_PIXEL);
    const limits = { durationS: session.durationS, leastS: timeline.leastS };
    timeline.setView(zoomed(session.view, factor, timeline.timeAt(event.clientX), limits));
  } else if (event.shiftKey || isSideways) {
    event.preventDefault();
    const by = (isSideways ? event.deltaX : event.deltaY) * unit;
    timeline.setView(panned(session.view, by / scale.pixelsPerS, session.durationS));
  }
}
