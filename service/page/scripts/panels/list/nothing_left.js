/** What the list says where it is empty, with the button that helps. */

import { button } from "../../parts/elements.js";
import { score } from "../../parts/format.js";
import { message } from "../../server/problems.js";

const roundedDown = (value) => Math.max(0, Math.floor(100 * value + 1e-9) / 100);

/**
 * Returns the sentence for an empty list.
 *
 * @param {import("../../result/session.js").Session} session
 * @param {{label: string|null, text: string, unchecked: boolean}} filter
 */
export function nothingLeft(session, { label, text, unchecked }) {
  const { found, options, classes, segments } = session;
  if (segments.length) {
    if (unchecked) return message("amber", "", "Every segment is checked.");
    return message(
      "amber",
      "",
      `No segment of “${text.trim() || label}” is left. Choose all classes.`,
    );
  }
  const bestClass = classes[0];
  if (!found.length && bestClass && bestClass.score < options.classThreshold) {
    const words =
      `The best class is ${bestClass.label} with ${score(bestClass.score)}; ` +
      `the threshold is ${score(options.classThreshold)}.`;
    return lower(
      session,
      "Nothing above the class threshold",
      words,
      "classThreshold",
      bestClass.score,
    );
  }
  if (!found.length) return message("amber", "", "The model found no segment in this video.");
  const best = Math.max(...found.map((one) => one.score));
  if (options.maxSegments === 0) {
    return message("amber", "", "Most segments is 0. Move its slider to see some.");
  }
  const words =
    `No segment has a score of ${score(options.minScore)} or more. ` +
    `The best has ${score(best)}.`;
  return lower(session, "", words, "minScore", best);
}

function lower(session, title, words, option, best) {
  const value = roundedDown(best);
  const act = button(`Lower it to ${score(value)}`, () => session.setOptions({ [option]: value }));
  return message("amber", title, words, { actions: [act] });
}
