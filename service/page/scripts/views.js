/** The views of the page, and which one a job gets: working, result, or a sentence in its place. */

import { serviceChanges } from "./server/banner.js";
import { button, el, fill } from "./parts/elements.js";
import { showHeader } from "./parts/header.js";
import { icon } from "./parts/icons.js";
import { errorMessage } from "./server/problems.js";
import { hashOf, navigate, rename, replace } from "./router.js";
import { showStart } from "./start/start.js";
import { uploads } from "./start/uploads.js";
import { Working } from "./start/under_way/working.js";

let leave = new AbortController();

/**
 * Shows a view; the one before is told to end by its signal.
 *
 * @param {HTMLElement} main
 * @param {import("./router.js").Route} route
 * @param {import("./server/api.js").Api} api
 */
export async function showView(main, route, api) {
  leave.abort();
  leave = new AbortController();
  const { signal } = leave;
  const root = el("div", { class: "view" });
  const isFirst = !main.hasChildNodes();
  fill(main, root);
  if (!isFirst) takeFocus(main);
  document.getElementById("skip").hidden = true;
  try {
    await VIEWS[route.view](root, { ...route, api, signal });
  } catch (error) {
    if (!signal.aborted) showError(root, error, () => showView(main, route, api), api);
  }
}

/** Puts the focus at the start of a view, because what had it is gone with the view before. */
function takeFocus(main) {
  main.focus({ preventScroll: true });
  scrollTo(0, 0);
}

const VIEWS = {
  start: showStart,
  upload: showUpload,
  job: showJob,
  features: (root, { id, ...view }) => showResult(root, { activationId: id, ...view }),
};

/** Shows an upload, then its job, in one view; a reload in between has lost the file. */
async function showUpload(root, view) {
  const upload = uploads.find(view.id);
  if (!upload) return replace("start");
  if (upload.job) return replace("job", upload.job.id);
  const working = new Working(root, view.api, view.signal);
  const job = await working.upload(upload);
  if (!job || view.signal.aborted) return;
  rename("job", job.id);
  await follow(root, working, job, view);
}

async function showJob(root, view) {
  const job = await view.api.job(view.id);
  if (view.signal.aborted) return;
  if (job.state === "done") await showResult(root, { ...view, jobId: job.id });
  else await follow(root, new Working(root, view.api, view.signal), job, view);
}

/** Follows a job, and shows its result once it is done. */
async function follow(root, working, job, view) {
  const last = await working.follow(job);
  if (last.state !== "done" || view.signal.aborted) return;
  await showResult(root, { ...view, jobId: job.id });
}

/** Loads the modules of the result, and once more those that a lost connection has kept away. */
const loadResult = () => import("./result/result.js").catch(() => import("./result/result.js"));

async function showResult(root, view) {
  const result = await loadResult();
  if (view.signal.aborted) return;
  root.className = "view";
  const hadFocus = root.contains(document.activeElement);
  fill(root);
  if (hadFocus) takeFocus(root.parentElement);
  await result.showResult(root, view);
}

/** Puts a sentence in place of a view: what happened, and what to do. */
async function showError(root, error, again, api) {
  console.info(error);
  showHeader();
  if (error.type === "unknown-job") fill(root, await goneJob(api));
  else {
    fill(root, el("div", { class: "instead" },
      errorMessage(error, { actions: [button("Try again", again)] })));
    if (error.type !== "unreachable") return;
    serviceChanges.addEventListener("back", again, { once: true });
  }
}

async function goneJob(api) {
  const { keep_jobs_s: keepS } = await api.capabilities();
  return el("div", { class: "instead card" },
    el("div", { class: "disc" }, icon("find")),
    el("h1", {}, "This job is no longer here"),
    el("p", {}, `The server keeps results for ${daysOf(keepS)}. Bring the video in again; `
      + "its features are kept, so it takes seconds."),
    el("div", { class: "actions" },
      button("Bring in a video", () => navigate("start"), { class: "primary" }),
      el("a", { class: "button", href: hashOf("start") }, "Recent jobs")));
}

function daysOf(seconds) {
  const days = seconds / 86400;
  if (days >= 1) return `${Math.round(days)} ${Math.round(days) === 1 ? "day" : "days"}`;
  const hours = Math.max(1, Math.round(seconds / 3600));
  return `${hours} ${hours === 1 ? "hour" : "hours"}`;
}
