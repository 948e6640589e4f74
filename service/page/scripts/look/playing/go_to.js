/** Goes to a time that somebody types. */

import { button, el } from "../../parts/elements.js";
import { invalid, openDialog } from "../../parts/dialogs.js";
import { clock } from "../../parts/format.js";

/**
 * @param {string} text "97.3", "1:37.3" or "1:02:07.4"
 * @returns {number | null} seconds; null for anything else
 */
export function secondsOf(text) {
  const match = /^(?:(?:(\d+):)?(\d+):)?(\d+(?:[.,]\d+)?)$/.exec(text.trim());
  if (!match) return null;
  const [hours, minutes, seconds] = match.slice(1).map((part) => Number((part ?? "0").replace(",", ".")));
  return hours * 3600 + minutes * 60 + seconds;
}

/** Asks for a time and goes there. */
export function askForTime(session) {
  const field = el("input", { class: "field", ariaLabel: "Time", inputMode: "decimal",
    value: clock(session.timeS, { milliseconds: true }) });
  const place = el("div", {});
  const go = (event) => {
    event.preventDefault();
    const timeS = secondsOf(field.value);
    if (timeS !== null && timeS <= session.durationS) {
      dialog.close();
      session.seek(timeS);
    } else {
      const whole = clock(session.durationS);
      place.replaceChildren(invalid(field, `Type a time up to ${whole}, such as 1:37.3 or 97.3.`));
      field.focus();
    }
  };
  const actions = el("div", { class: "actions" },
    button("Cancel", () => dialog.close()),
    el("button", { class: "button primary", type: "submit" }, "Go there"));
  const dialog = openDialog("Go to a time",
    [el("form", { class: "go-to", noValidate: true, onsubmit: go }, field, place, actions)]);
  field.select();
}
