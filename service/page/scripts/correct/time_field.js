/** Times as people type them; a pure function. */

/** Returns the seconds of "01:37.280", "1:02:03" or "97.28", or null for any other text. */
export function parseClock(text) {
  const match = /^(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:[.,]\d+)?)$/.exec(text.trim());
  if (!match) return null;
  const [, hours = "0", minutes = "0", seconds] = match;
  return 3600 * Number(hours) + 60 * Number(minutes) + Number(seconds.replace(",", "."));
}
