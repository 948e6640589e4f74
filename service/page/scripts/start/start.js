/** The start view: choose a model, bring something in, find earlier jobs. */

import { ApiError } from "../server/api.js";
import { serviceChanges } from "../server/banner.js";
import { button, el, fill } from "../parts/elements.js";
import { counted } from "../parts/format.js";
import { showHeader } from "../parts/header.js";
import { icon } from "../parts/icons.js";
import { bind } from "../parts/keys.js";
import { announce, notify } from "../parts/notices.js";
import { errorMessage, message, sentenceOf } from "../server/problems.js";
import { hashOf, navigate } from "../router.js";
import { acceptedText, isFeatures, refusalOf, takesVideos, WRONG_MODEL } from "./accepting.js";
import { addressForm } from "./address.js";
import { dropZone, takeDropped } from "./drop.js";
import { keepFeatures } from "./kept_features.js";
import { ModelCard } from "./models.js";
import { Recent } from "./recent.js";
import { ServerFiles } from "./server_files.js";
import { takeLostUploads, uploads } from "./uploads.js";
import { waysOf } from "./ways.js";

const NO_MODEL = "No model is loaded. Put one into the models folder, then try again.";

/**
 * Shows the start view.
 *
 * @param {HTMLElement} root
 * @param {{api: import("../server/api.js").Api, signal: AbortSignal}} view
 */
export async function showStart(root, { api, signal }) {
  showHeader();
  const service = await api.capabilities();
  if (signal.aborted) return;
  const start = new Start(root, api, service, signal);
  await start.load();
}

class Start {
  #api;
  #service;
  #signal;
  #models;
  #recent;
  #zone = dropZone((files) => this.#take(files));
  #refused = el("div", { class: "refused" });

  constructor(root, api, service, signal) {
    this.#api = api;
    this.#service = service;
    this.#signal = signal;
    this.#models = new ModelCard(api, signal);
    this.#recent = new Recent(api, signal);
    this.#models.addEventListener("change", () => this.#modelChanged());
    takeDropped(this.#zone.element, (files) => this.#take(files), signal);
    const unbind = bind({ key: "O", text: "Choose files", group: "Start",
      does: this.#zone.choose });
    signal.addEventListener("abort", unbind);
    root.classList.add("start");
    fill(root, this.#ways(), this.#recent.element);
  }

  async load() {
    const lost = takeLostUploads();
    if (lost.length) this.#showLost(lost);
    await Promise.all([this.#loadModels(), this.#recent.load()]);
  }

  /** Loads the models; while the service does not answer, the view stays and waits. */
  async #loadModels() {
    try {
      await this.#models.load();
    } catch (error) {
      if (error.type !== "unreachable") throw error;
      serviceChanges.addEventListener("back", () => this.#loadModels(),
        { once: true, signal: this.#signal });
    }
  }

  #ways() {
    return el("div", { class: "ways" },
      el("h1", {}, "Find when actions happen"),
      el("p", { class: "lead" },
        "Bring in a video. Each action is marked with its start, its end and a "
        + "score, ready to check, correct and export."),
      this.#models.element, this.#tabs(), this.#example());
  }

  #tabs() {
    const { roots, uris, videos } = this.#service;
    const files = new ServerFiles(this.#api, (entry) => this.#submit(entry.uri)
      .catch((error) => notify(sentenceOf(error), { kind: "error" })));
    const schemes = uris.filter((scheme) => scheme !== "file");
    const here = el("div", { class: "this-computer" }, this.#zone.element, this.#refused);
    return waysOf([
      { name: "This computer", panel: here },
      videos && roots && { name: "Server folder", panel: files.element, shown: () => files.open() },
      videos && schemes.length > 0
        && { name: "Address",
          panel: addressForm(schemes, this.#service.hosts ?? [], (uri) => this.#submit(uri)) },
    ].filter(Boolean));
  }

  #example() {
    const job = this.#service.example?.job_id;
    if (!job) return null;
    return el("p", { class: "example small quiet" }, icon("help"),
      el("span", {}, "First time here? ",
        el("a", { href: hashOf("job", job) }, "Open the example video"),
        " to look around."));
  }

  #modelChanged() {
    this.#zone.setAccepted(acceptedText(this.#models.chosen, this.#service));
    this.#recent.setModel(this.#models.chosen);
  }

  /** Submits a video that the service fetches, and shows its job. */
  async #submit(uri) {
    const model = this.#models.chosen;
    if (!model) throw new ApiError({ status: 0, detail: NO_MODEL });
    if (!takesVideos(model)) throw new ApiError({ status: 0, detail: WRONG_MODEL });
    const job = await this.#api.submitUri(uri, model);
    navigate("job", job.id);
  }

  /** Takes files: refuses some with a sentence, uploads the videos, localizes the features. */
  async #take(files) {
    fill(this.#refused);
    const model = this.#models.chosen;
    if (!model) return this.#refuse("", NO_MODEL);
    const taken = [];
    for (const file of files) {
      const refusal = refusalOf(file, model, this.#service);
      if (refusal) this.#refuse(refusal.title, refusal.text);
      else taken.push(file);
    }
    const videos = uploads.add(this.#api, taken.filter((file) => !isFeatures(file)), model);
    if (videos.length === 1 && files.length === 1) return navigate("upload", videos[0].id);
    if (videos.length) announce(`${counted(videos.length, "video")} on the way.`);
    const isOnly = files.length === 1;
    for (const file of taken.filter(isFeatures)) await this.#localize(file, model, isOnly);
  }

  /** Localizes features, which takes no job; a single file is shown at once. */
  async #localize(file, model, isOnly) {
    try {
      const result = await this.#api.localizeFeatures(file, model);
      keepFeatures(file.name, result);
      if (isOnly) navigate("features", result.activation, { name: file.name });
      else this.#recent.load();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#refused.append(errorMessage(error, { title: `${file.name} was not localized` }));
    }
  }

  #refuse(title, text) {
    this.#refused.append(message("red", title, text));
  }

  /** Names the uploads that a reload of the page stopped; the browser has let go of their files. */
  #showLost(lost) {
    const names = lost.map(({ name }) => name).join(", ");
    const title = lost.length === 1 ? "An upload stopped" : "Uploads stopped";
    this.#refused.append(message("amber", title,
      `The page was reloaded before ${names} had arrived. `
      + `Choose ${lost.length === 1 ? "it" : "them"} again.`,
      { actions: [button("Choose files", this.#zone.choose)] }));
  }
}
