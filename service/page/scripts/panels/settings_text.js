/** What the sliders say as a command line, as JSON, and as parameters of a link; pure functions. */

/** Returns the options of a request, without those that are the model's own. */
export function settingsOf({ options, defaults }) {
  const settings = {};
  if (options.classThreshold !== defaults.classThreshold) {
    settings.class_threshold = options.classThreshold;
  }
  if (options.minScore !== (defaults.minScore ?? 0)) settings.min_score = options.minScore;
  if (options.nmsIou !== null) settings.nms_iou = options.nmsIou;
  if (options.maxSegments !== defaults.maxSegments && options.maxSegments !== null) {
    settings.max_segments = options.maxSegments;
  }
  return settings;
}

/** Returns a word as a POSIX shell takes it: quoted where it has to be. */
export function quoted(word) {
  return /^[\w./:@%+=,-]+$/.test(word) && !word.startsWith("-")
    ? word
    : `'${word.startsWith("-") ? "./" : ""}${word.replaceAll("'", "'\\''")}'`;
}

/**
 * Returns the command line and the JSON of the settings.
 *
 * @param {import("../result/session.js").Session} session
 * @param {string} serviceUrl Address of the service.
 */
export function settingsText(session, serviceUrl) {
  const settings = settingsOf(session);
  const { name, version } = session.model;
  const flags = { url: serviceUrl, model: name, version, ...settings };
  const words = Object.entries(flags).flatMap(([flag, value]) => [
    `--${flag.replaceAll("_", "-")}`,
    quoted(String(value)),
  ]);
  return `ecm localize ${quoted(session.name)} ${words.join(" ")}\n${JSON.stringify(settings)}\n`;
}

const NUMBERS = {
  class_threshold: "classThreshold",
  min_score: "minScore",
  nms_iou: "nmsIou",
  max_segments: "maxSegments",
};

/** Returns the parameters of a link to this view: time and settings. */
export function linkParams(session) {
  const params = { t: String(Number(session.timeS.toFixed(3))) };
  for (const [name, field] of Object.entries(NUMBERS)) {
    const value = session.options[field];
    if (value !== session.startOptions[field] && value !== null) params[name] = String(value);
  }
  return params;
}

/**
 * Returns time and options of a link; what is not a number is ignored.
 *
 * @param {URLSearchParams} params
 */
export function readLink(params) {
  const number = (name) => {
    const value = params.get(name);
    return value !== null && value.trim() !== "" && Number.isFinite(Number(value))
      ? Number(value)
      : null;
  };
  const options = {};
  for (const [name, field] of Object.entries(NUMBERS)) {
    const value = number(name);
    const most = field === "maxSegments" ? Infinity : field === "minScore" ? 2 : 1;
    if (value !== null) options[field] = Math.min(Math.max(value, 0), most);
  }
  if ("maxSegments" in options) options.maxSegments = Math.round(options.maxSegments);
  return { timeS: number("t"), options };
}
