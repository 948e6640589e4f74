/** The two handles of the selected segment, which correct its edges. */

import { el } from "../../parts/elements.js";
import { clock, spokenClock } from "../../parts/format.js";
import { onDrag } from "../drag.js";

const TITLES = {
  start: "Start of the segment: drag, or use the arrow keys ([ and ])",
  end: "End of the segment: drag, or use the arrow keys ({ and })",
};

export class Handles {
  /**
   * @param {import("../../result/session.js").Session} session
   * @param {{timeAt: (clientX: number) => number, hold: (dragging: boolean) => void}} timeline
   */
  constructor(session, timeline) {
    this.session = session;
    this.timeline = timeline;
    this.start = this.#handle("start");
    this.end = this.#handle("end");
    this.nodes = [this.start, this.end];
  }

  #handle(edge) {
    const chip = el("span", { class: "chip" });
    const node = el("div", { class: `handle at-${edge}`, role: "slider", tabIndex: 0, hidden: true,
      title: TITLES[edge], onkeydown: (event) => this.#nudge(event, edge) }, chip);
    node.setAttribute("aria-label", `${edge === "start" ? "Start" : "End"} of the segment`);
    node.setAttribute("aria-orientation", "horizontal");
    let offsetS = 0;
    let timeS = 0;
    onDrag(node, {
      start: (event) => {
        event.stopPropagation();
        node.focus();
        timeS = this.#edgeS(edge);
        offsetS = timeS - this.timeline.timeAt(event.clientX);
        this.timeline.hold(true);
      },
      move: (event) => {
        timeS = toMilliseconds(this.timeline.timeAt(event.clientX) + offsetS);
        this.#to(edge, timeS, false);
      },
      end: () => {
        this.timeline.hold(false);
        this.#to(edge, timeS, true);
      },
    });
    return node;
  }

  #edgeS(edge) {
    return edge === "start" ? this.session.selected.startS : this.session.selected.endS;
  }

  #to(edge, timeS, final) {
    this.session.moveEdge(this.session.selectedId, edge, timeS, { final });
    this.session.seek(this.#edgeS(edge));
  }

  #nudge(event, edge) {
    const step = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 }[event.key];
    if (!step || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation();
    const steps = step * (event.shiftKey ? 10 : 1);
    this.#to(edge, this.#edgeS(edge) + steps * this.session.stepS, true);
  }

  /** @returns {object | null} the segment that has handles now */
  get segment() {
    const { correcting, selected } = this.session;
    const isMovable = correcting && selected?.source === "A" && selected.state !== "rejected";
    return isMovable ? selected : null;
  }

  /** Puts the handles at the edges of the selected segment. */
  place(model, scale) {
    const segment = this.segment;
    const lane = segment && model.lane(segment.label);
    const index = lane?.sources.A.segments.indexOf(segment) ?? -1;
    const [top, height] = index < 0 ? [0, 0] : model.place(lane, "A", lane.sources.A.places[index]);
    for (const edge of ["start", "end"]) {
      const node = this[edge];
      const timeS = edge === "start" ? segment?.startS : segment?.endS;
      const x = index < 0 ? -1 : scale.x(timeS);
      node.hidden = x < -1 || x > scale.width + 1 || index < 0;
      if (node.hidden) continue;
      node.style.transform = `translate(${x}px, ${top}px)`;
      node.style.height = `${height}px`;
      describe(node, edge, timeS, this.session);
    }
  }
}

/** Edges have whole milliseconds. */
const toMilliseconds = (timeS) => Math.round(timeS * 1000) / 1000;

function describe(node, edge, timeS, { selected, durationS }) {
  const [least, most] = edge === "start" ? [0, selected.endS] : [selected.startS, durationS];
  const text = clock(timeS, { milliseconds: true });
  if (node.firstChild.textContent === text) return;
  node.firstChild.textContent = text;
  node.setAttribute("aria-valuemin", least.toFixed(3));
  node.setAttribute("aria-valuemax", most.toFixed(3));
  node.setAttribute("aria-valuenow", timeS.toFixed(3));
  node.setAttribute("aria-valuetext", spokenMilliseconds(timeS));
}

/** @returns {string} "1 minute 37.280" */
function spokenMilliseconds(timeS) {
  const spoken = spokenClock(Math.floor(timeS / 60) * 60).replace(/0\.0$/, "");
  return `${spoken}${(timeS % 60).toFixed(3)}`;
}
