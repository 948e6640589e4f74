/** Shows a time line, moves it, and measures its frames; for page.py. */

import { el } from "/page/scripts/parts/elements.js";
import { mountTimeline } from "/page/scripts/look/timeline.js";
import { fitted } from "/page/scripts/look/scale.js";
import { Session } from "/page/scripts/result/session.js";

let session;
let timeline;

/** Segments of the classes in turn, with an activation that rises in them. */
window.show = async ({ durationS, segments, classes, snippets }) => {
  const labels = Array.from({ length: classes }, (_, i) => `class ${i + 1}`);
  const stepS = durationS / segments;
  const results = Array.from({ length: segments }, (_, i) => ({ label: labels[i % classes],
    start_s: i * stepS, end_s: i * stepS + (0.3 + random(i)) * stepS, score: 0.2 + 0.8 * random(i + 1) }));
  const scores = labels.map((label) => ({ label, score: 0.9 }));
  session = new Session({ job: null, name: "long.mp4", model: { name: "made", version: 1 }, durationS,
    frameRate: 25, labels,
    result: { duration_s: durationS, snippets, segments: results, classes: scores },
    defaults: { classThreshold: 0.25, nmsIou: 0.6, minScore: null, maxSegments: null } });
  session.setActivation(activationOf(results, { durationS, snippets, labels }));
  const root = el("section", { class: "card" });
  root.style.height = "480px";
  document.getElementById("main").append(root);
  timeline = mountTimeline(root, session);
  await frames(10);
};

const random = (i) => (Math.sin(i * 12.9898) * 43758.5453) % 1 / 2 + 0.5;

function activationOf(results, { durationS, snippets, labels }) {
  const classes = labels.length;
  const snippetS = durationS / snippets;
  const values = Float32Array.from({ length: snippets * classes }, (_, i) => 0.2 * random(i));
  for (const { label, start_s: startS, end_s: endS, score } of results) {
    const column = labels.indexOf(label);
    const last = Math.min(Math.ceil(endS / snippetS), snippets);
    for (let i = Math.floor(startS / snippetS); i < last; i += 1) values[i * classes + column] = score;
  }
  return { snippets, classes, values, snippetS, firstS: snippetS / 2 };
}

const frame = () => new Promise(requestAnimationFrame);

async function frames(count) {
  for (let i = 0; i < count; i += 1) await frame();
}

/** The state of a motion, `share` of its way. */
const MOTIONS = {
  zoom(share) {
    const { durationS } = session;
    const lengthS = durationS * (10 / durationS) ** (1 - Math.abs(2 * share - 1));
    const view = fitted(durationS / 2 - lengthS / 2, lengthS, durationS);
    session.setView(view.startS, view.endS);
  },
  pan(share) {
    const startS = share * (session.durationS - 600);
    session.setView(startS, startS + 600);
  },
  play(share, i) {
    if (i === 0) session.setView(0, 60);
    session.advance((i * 16) / 60);
  },
};

/** @returns {Promise<{framesMs: number[], workMs: number[]}>} one of each for every frame */
window.measure = async (motion, count) => {
  const [framesMs, workMs] = [[], []];
  let lastMs = await frame();
  for (let i = 0; i < count; i += 1) {
    let startMs = 0;
    requestAnimationFrame(() => { startMs = performance.now(); });  // before the time line's own
    MOTIONS[motion](i / (count - 1), i);
    const nowMs = await frame();  // after the time line's own
    workMs.push(performance.now() - startMs);
    framesMs.push(nowMs - lastMs);
    lastMs = nowMs;
  }
  return { framesMs, workMs };
};

/** Number of different colours on the canvas of the lanes. */
window.colours = () => {
  const { canvas, context } = timeline.lanes;
  const { data } = context.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
};
