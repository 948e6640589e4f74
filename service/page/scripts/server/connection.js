/** The way to the service: addresses, the key of this tab, and errors in place of failed calls. */

import { errorOf, unreachable } from "./api_error.js";

const KEPT_KEY = "api-key";
const ROOT = new URL("../../../", import.meta.url);

/** Calls to the service, with the key of this tab. Every method throws `ApiError`. */
export class Connection {
  #askForKey;
  #onUnreachable;
  /** @type {Promise<void>|null} */
  #asking = null;

  /**
   * @param {{askForKey: (error: string|null) => Promise<string>, onUnreachable: () => void}} page -
   *   Asks the person for a key; reacts when no answer comes.
   */
  constructor({ askForKey, onUnreachable }) {
    this.#askForKey = askForKey;
    this.#onUnreachable = onUnreachable;
  }

  /** @returns {Promise<any>} The JSON of an answer; options as those of `call`. */
  async json(path, options) {
    return (await this.call(path, options)).json();
  }

  /**
   * @param {string} path
   * @param {{query?: Object, json?: Object, headers?: Object, body?: Blob, method?: string,
   *   signal?: AbortSignal}} [options]
   * @returns {Promise<Response>} An answer that is no error.
   */
  call(path, { query, json, headers = {}, body, ...rest } = {}) {
    const sends = json === undefined ? { body } : { body: JSON.stringify(json) };
    const type = json === undefined ? {} : { "Content-Type": "application/json" };
    return this.#withKey(async (auth) => {
      const answer = await answerTo(address(path, query),
        { ...rest, ...sends, headers: { ...type, ...headers, ...auth }, cache: "no-store" });
      if (answer.ok) return answer;
      throw errorOf(answer.status, await answer.text(), (name) => answer.headers.get(name));
    });
  }

  /**
   * Sends a file.
   *
   * @param {string} path
   * @param {File} file
   * @param {{query: Object, headers: Object, onProgress: (sentBytes: number) => void,
   *   signal?: AbortSignal}} options
   * @returns {Promise<any>} The JSON of the answer.
   */
  send(path, file, { query, headers, ...rest }) {
    return this.#withKey(async (auth) => {
      const answer = await sent(address(path, query), file,
        { headers: { ...headers, ...auth }, ...rest });
      return JSON.parse(answer);
    });
  }

  /** Runs a call with the tab's key; asks for another one while the service refuses it. */
  async #withKey(call) {
    for (;;) {
      const key = sessionStorage.getItem(KEPT_KEY);
      try {
        return await call(key ? { Authorization: `Bearer ${key}` } : {});
      } catch (error) {
        if (error.type === "unreachable") this.#onUnreachable();
        if (error.status !== 401) throw error;
        await this.#newKey(key);
      }
    }
  }

  /** Asks for a key, once for all calls that wait for it. */
  #newKey(refused) {
    if (sessionStorage.getItem(KEPT_KEY) !== refused) return null;
    this.#asking ??= this.#askForKey(refused
      && "The service does not know this key. Check that all of it was pasted.")
      .then((key) => sessionStorage.setItem(KEPT_KEY, key))
      .finally(() => { this.#asking = null; });
    return this.#asking;
  }
}

/** Returns the address of a path; parameters that are null or undefined are left out. */
export function address(path, query = {}) {
  const url = new URL(path, ROOT);
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null) url.searchParams.set(name, value);
  }
  return url.href;
}

async function answerTo(url, options) {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw unreachable();
  }
}

/** Sends a file by XMLHttpRequest, because fetch reports no progress of what it sends. */
function sent(url, file, { headers, onProgress, signal }) {
  return new Promise((done, fail) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    request.open("POST", url);
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value);
    request.upload.addEventListener("progress", (event) => onProgress(event.loaded));
    request.addEventListener("load", () => (request.status < 300 ? done(request.responseText)
      : fail(errorOf(request.status, request.responseText,
        (name) => request.getResponseHeader(name)))));
    request.addEventListener("error", () => fail(unreachable()));
    request.addEventListener("abort", () => fail(new DOMException("cancelled", "AbortError")));
    request.addEventListener("loadend", () => signal?.removeEventListener("abort", abort));
    signal?.addEventListener("abort", abort);
    if (signal?.aborted) abort();
    request.send(file);
  });
}
