/** The folders of the server that videos may come from. */

import { button, cutInTheMiddle, el, fill } from "../elements.js";
import { bytes } from "../format.js";
import { icon } from "../icons.js";
import { errorMessage } from "../problems.js";

/** A list of folders and videos; one that is chosen is submitted. */
export class ServerFiles {
  #api;
  #submit;
  #entries = [];
  #path = "";
  #isTruncated = false;
  #trail = el("nav", { class: "trail", ariaLabel: "Folder" });
  #list = el("ul", { class: "files" });
  #find = el("input", { class: "field", type: "search", placeholder: "Find a file in the server's folders",
    ariaLabel: "Find a file in the server's folders", oninput: () => this.#paint() });
  element = el("div", { class: "way" },
    el("div", { class: "with-icon" }, icon("find"), this.#find), this.#trail, this.#list);

  /**
   * @param {import("../api.js").Api} api
   * @param {(entry: {name: string, uri: string}) => void} submit
   */
  constructor(api, submit) {
    this.#api = api;
    this.#submit = submit;
  }

  /** Shows a folder; the roots, if the path is empty. Focus goes to its first entry on request. */
  async open(path = "", { focus = false } = {}) {
    try {
      const { path: shown, entries, truncated } = await this.#api.files(path);
      this.#path = shown ?? path;
      this.#entries = entries;
      this.#isTruncated = truncated;
      this.#find.value = "";
      this.#paint();
      if (focus) (this.#list.querySelector("button") ?? this.#find).focus();
    } catch (error) {
      fill(this.#list, el("li", {}, errorMessage(error, { actions: [
        button("Try again", () => this.open(path)), button("First folder", () => this.open())] })));
    }
  }

  #paint() {
    this.#paintTrail();
    const words = this.#find.value.toLowerCase();
    const found = this.#entries.filter((entry) => entry.name.toLowerCase().includes(words));
    fill(this.#list, found.map((entry) => el("li", {}, this.#row(entry))),
      !found.length && el("li", { class: "quiet nothing" },
        words ? "No file here has that name." : "This folder has no videos."),
      this.#isTruncated && el("li", { class: "quiet nothing" },
        `The first ${this.#entries.length} entries of the folder.`));
  }

  #row(entry) {
    const isFolder = entry.kind === "folder";
    const does = isFolder ? () => this.open(entry.path, { focus: true }) : () => this.#submit(entry);
    return el("button", { type: "button", class: "file", onclick: does },
      icon(isFolder ? "folder" : "film"), cutInTheMiddle(entry.name),
      el("span", { class: "quiet small" }, isFolder || entry.size_bytes == null ? "" : bytes(entry.size_bytes)),
      isFolder && icon("forward"));
  }

  /** Shows the way up: the roots, and the folders of the path. */
  #paintTrail() {
    const parts = this.#path.split("/").filter(Boolean);
    this.#trail.hidden = !parts.length;
    const parent = this.#path.split("/").slice(0, -1).join("/");
    fill(this.#trail,
      button("Folders", () => this.open("", { focus: true }), { class: "plain", icon: "folder" }),
      parts.length > 1 && button("Up", () => this.open(parent, { focus: true }), { class: "plain", icon: "back" }),
      el("span", { class: "quiet ends", title: this.#path }, parts.at(-1) ?? ""));
  }
}
