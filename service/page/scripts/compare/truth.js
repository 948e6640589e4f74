/** Ground truth from an annotations file: choosing it, and the measures of this video. */

import { button, el, fill } from "../parts/elements.js";
import { percent } from "../parts/format.js";
import { openMenu } from "../parts/menus.js";
import { message } from "../server/problems.js";
import { AnnotationsError, idOf, readDatabase, subsetOf, timesOf, videoId } from "./annotations.js";
import { TIOUS, measure } from "./average_precision.js";
import { classMark } from "../panels/class_mark.js";
import { chooseFile } from "../panels/save_file.js";
import { on, onceAFrame } from "../panels/schedule.js";

/** Most entries of a menu of videos. */
const MOST_ENTRIES = 500;

/**
 * Lets somebody choose an annotations file, and shows its times, or says why that is not possible.
 *
 * @param {import("../result/session.js").Session} session
 * @param {HTMLElement} messages Where a sentence about the file is put.
 */
export async function chooseTruth(session, messages) {
  const file = await chooseFile(".json,application/json");
  if (file) await readTruth(file, session, messages);
}

/** Takes the ground truth of a file. */
export async function readTruth(file, session, messages) {
  const again = (text = "Choose another file") =>
    button(
      text,
      () => {
        fill(messages);
        chooseTruth(session, messages);
      },
      { class: "plain" },
    );
  const take = (database, id) => {
    try {
      const [subset, segments] = [subsetOf(database[id]), timesOf(database[id], id, file.name)];
      session.setTruth({ name: file.name, subset, segments });
      fill(messages);
    } catch (error) {
      if (!(error instanceof AnnotationsError)) throw error;
      fill(messages, message("red", "", error.message, { actions: [again()] }));
    }
  };
  try {
    const database = readDatabase(await file.text(), file.name);
    const id = idOf(database, session.name);
    if (id === null) fill(messages, otherVideo(database, file, session, take, again));
    else take(database, id);
  } catch (error) {
    if (!(error instanceof AnnotationsError)) throw error;
    fill(messages, message("red", "", error.message, { actions: [again()] }));
  }
}

function otherVideo(database, file, session, take, again) {
  const ids = Object.keys(database);
  const among = ids.length
    ? ids.length === 1
      ? `It has “${ids[0]}” only.`
      : `It has ${ids.length} others, “${ids[0]}” among them.`
    : "It is empty.";
  const choose = button(ids.length === 1 ? "Choose it" : `Choose one of the ${ids.length}`, () => {
    if (ids.length === 1) take(database, ids[0]);
    else
      openMenu(
        choose,
        ids.slice(0, MOST_ENTRIES).map((id) => ({ text: id, does: () => take(database, id) })),
      );
  });
  return message(
    "red",
    "The annotations are of another video",
    `${file.name} has no “${videoId(session.name)}”. ${among}`,
    { actions: ids.length ? [choose, again()] : [again()] },
  );
}

/**
 * Fills a section with the mAP of the video; it is hidden without truth.
 *
 * @param {HTMLElement} root
 * @param {import("../result/session.js").Session} session
 * @param {AbortSignal} signal
 */
export function mountMeasures(root, session, signal) {
  const paint = onceAFrame(() => {
    const { truth, modelB } = session;
    root.hidden = !truth && !modelB;
    if (!root.hidden) fill(root, head(session), truth ? tables(session) : withoutTruth(session));
  }, signal);
  on(session, "segments truth compare history", paint, signal);
  paint();
}

function head({ truth }) {
  const count = truth?.segments.length ?? 0;
  const words = truth && `${count} true ${count === 1 ? "segment" : "segments"}`;
  return el(
    "div",
    { class: "card-head" },
    el("h2", { id: "measures-title" }, "mAP of this video"),
    el("span", { class: "quiet" }, words),
  );
}

function withoutTruth(session) {
  const { segments, segmentsB } = session;
  return el(
    "div",
    { class: "measures-none" },
    el("p", {}, `A finds ${segments.length} segments, B ${segmentsB.length}.`),
    el(
      "p",
      { class: "quiet" },
      "With ground truth, this shows which of them is right: mAP, found, missed and extra segments.",
    ),
  );
}

function tables(session) {
  const { truth } = session;
  if (!truth.segments.length) {
    return el("p", { class: "measures-none quiet" }, "The file has no times for this video.");
  }
  const kept = session.segments.filter((one) => one.state !== "rejected");
  const results = session.modelB ? [kept, session.segmentsB] : [kept];
  const names = session.modelB
    ? [`A · v${session.model.version}`, `B · v${session.modelB.version}`, "A − B"]
    : ["mAP"];
  const at = (tiou) => results.map((segments) => measure(truth.segments, segments, tiou));
  const middle = at(0.5);
  return [mapTable(names, at), countTable(middle), byClass(session, middle)];
}

function mapTable(names, at) {
  const rows = TIOUS.map((tiou) => {
    const maps = at(tiou).map((one) => one.map);
    const signed = (value) => `${value < 0 ? "−" : "+"}${percent(Math.abs(value))}`;
    const cells = maps.map((value) => el("td", {}, percent(value)));
    if (maps.length > 1) cells[maps[0] >= maps[1] ? 0 : 1].className = "strong";
    return el(
      "tr",
      {},
      el("th", { scope: "row" }, tiou.toFixed(1)),
      cells,
      maps.length > 1 && el("td", {}, signed(maps[0] - maps[1])),
    );
  });
  const heads = names.map((name) => el("th", { scope: "col" }, name));
  return el(
    "table",
    { class: "measures" },
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "tIoU"), heads)),
    el("tbody", {}, rows),
  );
}

function countTable(middle) {
  const rows = [
    ["Found", "found"],
    ["Missed", "missed"],
    ["Extra", "extra"],
  ].map(([text, name]) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, text),
      middle.map((one) => el("td", {}, one[name])),
      middle.length > 1 && el("td", {}),
    ),
  );
  return [el("h3", {}, "At tIoU 0.5"), el("table", { class: "measures" }, el("tbody", {}, rows))];
}

function byClass(session, middle) {
  const order = new Map(session.classes.map((one, index) => [one.label, index]));
  const place = (label) => order.get(label) ?? order.size;
  const labels = [...middle[0].byClass.keys()].sort((a, b) => place(a) - place(b));
  const rows = labels.map((label) =>
    el(
      "div",
      { class: "class-ap" },
      classMark(session, label),
      el(
        "div",
        {},
        middle.map((one, index) => apBar(session, label, one.byClass.get(label), index)),
      ),
    ),
  );
  return [el("h3", {}, "AP by class at 0.5"), rows];
}

function apBar(session, label, ap, index) {
  const bar = el("span", {});
  bar.style.width = `${100 * ap}%`;
  if (index === 0) bar.style.background = `var(${session.colorOf(label).color})`;
  return el(
    "div",
    { class: "ap" },
    el("span", { class: "meter" }, bar),
    el("span", { class: index === 0 ? "strong" : "" }, percent(ap)),
  );
}
