/** Numbers as people read them. Values keep full precision; only text is rounded. */

/**
 * Returns a time in a video: "01:29.4", from one hour "1:32:07.4".
 *
 * @param {number} seconds
 * @param {{milliseconds?: boolean, whole?: boolean}} [options] - Three decimals in place of one
 *   where edges move by frames; none on a ruler.
 */
export function clock(seconds, { milliseconds = false, whole = false } = {}) {
  const digits = whole ? 0 : milliseconds ? 3 : 1;
  const scale = 10 ** digits;
  const units = Math.round(Math.max(0, seconds) * scale);
  const minutes = Math.floor(units / (60 * scale));
  const rest = (units / scale - 60 * minutes).toFixed(digits);
  const tail = rest.padStart(digits ? digits + 3 : 2, "0");
  if (minutes < 60) return `${String(minutes).padStart(2, "0")}:${tail}`;
  return `${Math.floor(minutes / 60)}:${String(minutes % 60).padStart(2, "0")}:${tail}`;
}

/** Returns a time as it is spoken: "1 minute 37.3", "1 hour 2 minutes 7.4", "37.3". */
export function spokenClock(seconds) {
  const tenths = Math.round(Math.max(0, seconds) * 10);
  const hours = Math.floor(tenths / 36000);
  const minutes = Math.floor((tenths % 36000) / 600);
  const parts = [hours && counted(hours, "hour"), minutes && counted(minutes, "minute")];
  return [...parts.filter(Boolean), ((tenths % 600) / 10).toFixed(1)].join(" ");
}

/** Returns a length: "5.1 s". */
export function span(seconds, { digits = 1 } = {}) {
  return `${seconds.toFixed(digits)} s`;
}

/** Returns a size in steps of 1,000: "4.3 GB". */
export function bytes(count) {
  const power = count < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(count) / 3));
  return `${sizeText(count, power)} ${UNITS[power]}`;
}

/** Returns a part of a size, in the unit of the whole: "1.1 of 3.2 GB". */
export function bytesOf(part, whole) {
  const power = whole < 1000 ? 0 : Math.min(4, Math.floor(Math.log10(whole) / 3));
  return `${sizeText(part, power)} of ${bytes(whole)}`;
}

/** Returns the time left in steps of 5 s: "About 1 min 20 s left". */
export function left(seconds) {
  return `About ${roughly(seconds)} left`;
}

/** Returns a time in steps of 5 s, from ten minutes in whole minutes: "1 min 20 s". */
export function roughly(seconds) {
  const rounded = Math.max(5, 5 * Math.round(seconds / 5));
  const minutes = Math.floor(rounded / 60);
  if (minutes >= 60) return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  if (minutes >= 10) return `${minutes} min`;
  return [minutes && `${minutes} min`,
    rounded % 60 && `${rounded % 60} s`].filter(Boolean).join(" ");
}

/** Returns a score, threshold, activation or tIoU: two digits; may exceed 1. */
export function score(value) {
  return value.toFixed(2);
}

/** Returns mAP or AP in percent with one digit: "84.9". */
export function percent(share) {
  return (100 * share).toFixed(1);
}

/** Returns a count with its noun: "1 segment", "21 segments", "2 classes". */
export function counted(count, noun) {
  const plural = noun.endsWith("s") ? `${noun}es` : `${noun}s`;
  return `${count.toLocaleString("en")} ${count === 1 ? noun : plural}`;
}

/** Returns "1st", "2nd", "3rd", "4th", "11th". */
export function ordinal(number) {
  const tens = number % 100;
  const ending = tens > 10 && tens < 14 ? "th" : ["th", "st", "nd", "rd"][number % 10] ?? "th";
  return `${number}${ending}`;
}

/** Returns the day of a time: "today 09:12", "7 Mar", "7 Mar 2025". */
export function day(time, now = new Date()) {
  const hour = time.toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
  if (time.toDateString() === now.toDateString()) return `today ${hour}`;
  const year = time.getFullYear() === now.getFullYear() ? {} : { year: "numeric" };
  return time.toLocaleDateString("en-GB", { day: "numeric", month: "short", ...year });
}

const UNITS = ["bytes", "kB", "MB", "GB", "TB"];

function sizeText(count, power) {
  const value = count / 1000 ** power;
  return power === 0 || value >= 100 || Number.isInteger(value) ? value.toFixed(0)
    : value.toFixed(1);
}
