/** The field for the address of a video. */

import { el, fill } from "../parts/elements.js";
import { invalid } from "../parts/dialogs.js";
import { sentenceOf } from "../server/problems.js";

const EXAMPLES = { https: "https://media.example.org/match.mp4", s3: "s3://bucket/match.mp4",
  gs: "gs://bucket/match.mp4", az: "az://container/match.mp4", file: "file:///videos/match.mp4" };

/**
 * Returns the form.
 *
 * @param {string[]} schemes - Those that the service allows.
 * @param {string[]} hosts - Those that the service fetches from; empty where it does not tell.
 * @param {(uri: string) => Promise<void>} submit - Throws `ApiError` where one is refused.
 */
export function addressForm(schemes, hosts, submit) {
  const error = el("div", {});
  const field = el("input", { class: "field", id: "address", type: "text", inputmode: "url",
    autocomplete: "off", spellcheck: false, placeholder: EXAMPLES[schemes[0]] ?? EXAMPLES.https });
  const fetchIt = el("button", { type: "submit", class: "button" }, "Fetch");
  const refuse = (sentence) => {
    fill(error, invalid(field, sentence));
    field.focus();
  };
  const send = async (event) => {
    event.preventDefault();
    fill(error);
    field.removeAttribute("aria-invalid");
    const uri = field.value.trim();
    const wrong = wrongWith(uri, schemes);
    if (wrong) return refuse(wrong);
    fetchIt.disabled = true;
    try {
      await submit(uri);
    } catch (problem) {
      refuse(refusalOf(problem, hosts));
    } finally {
      fetchIt.disabled = false;
    }
  };
  return el("form", { class: "way address", noValidate: true, onsubmit: send },
    el("label", { class: "strong", htmlFor: "address" }, "Address of a video"),
    el("div", { class: "line" }, field, fetchIt), error,
    el("p", { class: "small quiet" },
      `The service fetches it. It takes addresses that begin with ${listOf(schemes)}.`));
}

/** Returns what is wrong with an address before it is sent, or null. */
export function wrongWith(uri, schemes) {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(uri)?.[1]?.toLowerCase();
  if (!uri) return "Paste the address of a video first.";
  if (!scheme) return `This is not an address. It has to begin with ${listOf(schemes)}.`;
  if (!schemes.includes(scheme)) {
    return `This service may not fetch from ${scheme}: addresses. It may from ${listOf(schemes)}. `
      + "Download the file and drop it here instead.";
  }
  return null;
}

function refusalOf(problem, hosts) {
  const host = /the host '([^']+)' is not allowed/.exec(problem.detail)?.[1];
  if (!host) return sentenceOf(problem);
  const others = hosts.length ? ` It may from ${hosts.join(", ")}.` : "";
  return `This service may not fetch from ${host}.${others} `
    + "Download the file and drop it here instead.";
}

function listOf(schemes) {
  const prefixes = schemes.map((scheme) => `${scheme}://`);
  return prefixes.length < 2 ? prefixes.join("")
    : `${prefixes.slice(0, -1).join(", ")} or ${prefixes.at(-1)}`;
}
