/** Searches again when the sliders moved: one request at a time, the newest wins. */

/**
 * Returns a function that runs a task for its argument, one at a time; of those that come in the
 * meantime only the newest is run.
 *
 * @template T
 * @param {(newest: T) => Promise<void>} task
 * @returns {(argument: T) => void}
 */
export function newestWins(task) {
  let waiting = null;
  let runs = false;
  return async (argument) => {
    waiting = { argument };
    if (runs) return;
    runs = true;
    while (waiting) {
      const next = waiting.argument;
      waiting = null;
      await task(next);
    }
    runs = false;
  };
}

/**
 * Returns the options that the service has to know.
 *
 * Lowest score and number of segments are applied on the page, because they only leave segments
 * out. They are asked for where the model's own defaults leave out more. `nms_iou` changes the kind
 * of suppression, so it is sent only once its slider has moved.
 *
 * @param {import("../result/session.js").Session} session
 */
export function askedOptions({ options, defaults }) {
  const asked = { class_threshold: options.classThreshold };
  if (options.nmsIou !== null) asked.nms_iou = options.nmsIou;
  if (options.minScore < (defaults.minScore ?? 0)) asked.min_score = options.minScore;
  if (defaults.maxSegments !== null && options.maxSegments !== defaults.maxSegments) {
    asked.max_segments = options.maxSegments ?? MOST_SEGMENTS;
  }
  return asked;
}

/** Asked for where the model's own limit is lifted; the service has a lower one of its own. */
const MOST_SEGMENTS = 1_000_000;

/**
 * Searches again whenever the options ask for it.
 *
 * @param {import("../result/session.js").Session} session
 * @param {import("../server/api.js").Api} api
 * @param {{signal: AbortSignal, onError: (error: Error) => void, onAnswer: () => void}} view
 */
export function searchAgain(session, api, { signal, onError, onAnswer }) {
  const known = { A: JSON.stringify(askedOptions(atStart(session))), B: "" };
  const ask = newestWins(async () => {
    for (const source of session.modelB ? ["A", "B"] : ["A"]) {
      const id = source === "A" ? session.activationId : session.activationIdB;
      const asked = askedOptions(session);
      if (!id || known[source] === JSON.stringify(asked) || signal.aborted) continue;
      known[source] = JSON.stringify(asked);
      try {
        session.setFound(await api.relocalize(id, asked, signal), source);
        onAnswer();
      } catch (error) {
        known[source] = "";
        if (signal.aborted) return;
        if (error.type === "activation-gone") session.setActivationId(null, source);
        else onError(error);
      }
    }
  });
  session.addEventListener("options", ask, { signal });
  session.addEventListener("compare", ask, { signal });
  ask();
}

const atStart = ({ startOptions, defaults }) => ({ options: startOptions, defaults });
