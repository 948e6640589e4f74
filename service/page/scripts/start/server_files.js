/** The folders of the server that videos may come from. */

import { button, cutInTheMiddle, el, fill } from "../parts/elements.js";
import { bytes } from "../parts/format.js";
import { icon } from "../parts/icons.js";
import { errorMessage } from "../server/problems.js";

const FIND = "Find a file in the server's folders";
const TOP = { name: "Folders", path: "" };

/** A list of folders and videos; one that is chosen is submitted. */
export class ServerFiles {
  #api;
  #submit;
  #entries = [];
  #isTruncated = false;
  /** Folders from the top to the one that is shown. */
  #trail = [TOP];
  /** The trail that was asked for last. */
  #asked = this.#trail;
  #way = el("nav", { class: "trail", ariaLabel: "Folder" });
  #list = el("ul", { class: "files" });
  #find = el("input", { class: "field", type: "search", placeholder: FIND, ariaLabel: FIND,
    oninput: () => this.#paint() });
  element = el("div", { class: "way" },
    el("div", { class: "with-icon" }, icon("find"), this.#find), this.#way, this.#list);

  /**
   * @param {import("../server/api.js").Api} api
   * @param {(entry: {name: string, uri: string}) => void} submit
   */
  constructor(api, submit) {
    this.#api = api;
    this.#submit = submit;
  }

  /**
   * Shows the last folder of the trail. Words typed while it loads stay; a folder that answers
   * after another was asked for is not shown.
   */
  async open({ trail = this.#trail, focus = false } = {}) {
    this.#asked = trail;
    this.#find.value = "";
    const { path } = trail.at(-1);
    try {
      const { entries, truncated } = await this.#api.files(path);
      if (this.#asked !== trail) return;
      this.#trail = trail;
      this.#entries = entries;
      this.#isTruncated = truncated;
      this.#paint();
      if (focus && document.activeElement !== this.#find) {
        (this.#list.querySelector("button") ?? this.#find).focus();
      }
    } catch (error) {
      if (this.#asked !== trail) return;
      const again = button("Try again", () => this.open({ trail, focus: true }));
      const top = path && button("First folder", () => this.#goTo([TOP]));
      fill(this.#list, el("li", {},
        errorMessage(error, { actions: [again, top].filter(Boolean) })));
    }
  }

  #goTo(trail) {
    this.open({ trail, focus: true });
  }

  #paint() {
    const places = this.#trail.map(({ name }, place) => (place === this.#trail.length - 1
      ? el("span", { class: "strong ends", title: name, ariaCurrent: "location" }, name)
      : [button(name, () => this.#goTo(this.#trail.slice(0, place + 1)), { class: "plain" }),
        icon("forward")]));
    fill(this.#way, icon("folder"), places);
    const words = this.#find.value.toLowerCase();
    const found = this.#entries.filter((entry) => entry.name.toLowerCase().includes(words));
    const none = words ? "No file here has that name." : "This folder has no videos.";
    fill(this.#list, found.map((entry) => el("li", {}, this.#row(entry))),
      !found.length && el("li", { class: "quiet nothing" }, none),
      this.#isTruncated && el("li", { class: "quiet nothing" },
        `The first ${this.#entries.length} entries. Move videos into folders to see all.`));
  }

  #row(entry) {
    const isFolder = entry.kind === "folder";
    const does = isFolder ? () => this.#goTo([...this.#trail, entry]) : () => this.#submit(entry);
    return el("button", { type: "button", class: "file", onclick: does },
      icon(isFolder ? "folder" : "film"), cutInTheMiddle(entry.name),
      !isFolder && entry.size_bytes !== null
        && el("span", { class: "quiet small" }, bytes(entry.size_bytes)),
      isFolder && icon("forward"));
  }
}
