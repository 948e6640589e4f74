/** Views by the hash of the address, so that a link leads to a video, a time and settings. */

/**
 * @typedef {Object} Route
 * @property {"start"|"job"|"features"|"upload"} view
 * @property {string} id - Of the job, the kept activation or the upload; empty at the start.
 * @property {URLSearchParams} params
 */

/** Returns the view that the address names; the start for what no view has. */
export function route(hash = location.hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const [view, id = ""] = path.split("/").map(decoded);
  const params = new URLSearchParams(query);
  const isKnown = ["job", "features", "upload"].includes(view) && id !== "";
  return isKnown ? { view, id, params } : { view: "start", id: "", params };
}

/** Returns the hash of a view. */
export function hashOf(view, id = "", params = {}) {
  if (view === "start") return "#/";
  const query = new URLSearchParams(params).toString();
  return `#/${view}/${encodeURIComponent(id)}${query && `?${query}`}`;
}

/** Goes to a view. */
export function navigate(view, id = "", params = {}) {
  location.hash = hashOf(view, id, params);
}

/** Goes to a view in place of this one, which the button "back" then does not find. */
export function replace(view, id = "", params = {}) {
  history.replaceState(null, "", hashOf(view, id, params));
  dispatchEvent(new HashChangeEvent("hashchange"));
}

/** Changes the parameters in the address of this view; nothing is loaded. */
export function keepParams(params) {
  const { view, id } = route();
  rename(view, id, params);
}

/** Gives this view another address, such as that of the job that an upload became. */
export function rename(view, id, params = {}) {
  history.replaceState(null, "", hashOf(view, id, params));
  shownHash = location.hash;
}

/** Asks before the view is left; null where nothing has to be asked. */
let guard = null;
let shownHash = location.hash;

/**
 * Lets a view ask before it is left.
 *
 * @param {(() => Promise<boolean>)|null} mayLeave - Resolves to false where the view has to stay;
 *   null once the view has ended.
 */
export function guardLeaving(mayLeave) {
  guard = mayLeave;
}

/** Calls `show` for each address, once the view before may be left; else puts its address back. */
export function followAddress(show) {
  let asks = false;
  addEventListener("hashchange", async () => {
    const wanted = location.hash;
    if (guard) {
      if (wanted === shownHash) return;
      history.replaceState(null, "", shownHash || "#/");
      if (asks) return;
      asks = true;
      const leaves = await guard().finally(() => { asks = false; });
      if (!leaves) return;
      guard = null;
      history.replaceState(null, "", wanted);
    }
    shownHash = wanted;
    show();
  });
  show();
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
