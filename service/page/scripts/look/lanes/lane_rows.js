/** The names beside the lanes. Each row is the group that holds the lane's accessible buttons. */

import { el, fill } from "../../parts/elements.js";
import { counted, score } from "../../parts/format.js";
import { swatch } from "../../panels/class_mark.js";

/**
 * Fills the column of names.
 * @param {HTMLElement} root
 * @param {import("./lane_model.js").LaneModel} model
 * @returns {Map<string, HTMLElement>} by label: the place of the lane's buttons
 */
export function fillRows(root, model) {
  const places = new Map();
  fill(root, model.lanes.map((lane) => {
    const buttons = el("div", { class: "lane-buttons" });
    places.set(lane.label, buttons);
    const group = el("div", { class: "lane", role: "group" }, nameOf(lane, model), buttons);
    group.setAttribute("aria-label", `${lane.label}, ${counted(lane.sources.A.length, "segment")}`);
    group.style.height = `${model.layout.height}px`;
    return group;
  }));
  return places;
}

function nameOf(lane, model) {
  const { session, compared, layout } = model;
  const video = session.classes.find(({ label }) => label === lane.label);
  return el("div", { class: "lane-name" },
    swatch(session, lane.label),
    el("div", { class: "lane-text" },
      el("div", { class: "strong ends", title: lane.label }, lane.label),
      !compared && el("div", { class: "lane-count" }, counted(lane.sources.A.length, "segment"))),
    video && el("div", { class: "lane-score" }, score(video.score)),
    axisOf(model, layout));
}

/** The names of the bands, or the ends of the curve's axis. */
function axisOf(model, { bands, curve: [top, height], over }) {
  const at = (y, text) => {
    const mark = el("span", { class: "lane-mark" }, text);
    mark.style.top = `${y}px`;
    return mark;
  };
  const middle = ([y, tall]) => y + tall / 2;
  const names = { A: "A", B: "B", truth: "Truth" };
  const isNamed = Object.keys(bands).length > 1;
  if (isNamed) {
    return Object.entries(bands).map(([source, band]) => at(middle(band), names[source]));
  }
  const hasAxis = model.session.activation && !over;
  return hasAxis ? [at(top + 2, "1"), at(top + height - 2, "0")] : [];
}
