/**
 * Annotations files in ActivityNet's format: reading one, and writing corrections; pure functions.
 *
 *     {"database": {ID: {"subset": "training", "duration": 61.4,
 *                        "annotations": [{"label": "Jump", "segment": [3.1, 5.0]}]}}}
 */

const ENDINGS = /\.(mp4|m4v|mkv|webm|mov|avi|mpg|mpeg|ts|wmv|flv|npy|npz)$/i;

/** Name of a subset, as the service accepts it. */
const SUBSET = /^[A-Za-z0-9_][A-Za-z0-9_ -]{0,39}$/;

/** An annotations file that cannot be used; the message is a sentence for people. */
export class AnnotationsError extends Error {}

/** Returns the id of a video in annotations: its file name without folder and ending. */
export function videoId(name) {
  return name.split(/[/\\]/).at(-1).replace(ENDINGS, "") || "video";
}

/** Returns the form of an id that its spellings share: without ending, `v_`, `_rgb`, `_flow`. */
export function plainId(name) {
  const id = videoId(name);
  const bare = id.replace(/^v_(?=.)/, "");
  return bare.replace(/(?<=.)_(rgb|flow)$/, "");
}

/**
 * Returns the database of an annotations file.
 *
 * @param {string} text Content of the file.
 * @param {string} fileName
 * @returns {Record<string, object>} Entries by id of the video.
 * @throws {AnnotationsError}
 */
export function readDatabase(text, fileName) {
  let content;
  try {
    content = JSON.parse(text.replace(/^\uFEFF/, ""));
  } catch {
    throw new AnnotationsError(`${fileName} is not JSON. Choose another file.`);
  }
  const database = content?.database;
  if (typeof database === "object" && database !== null && !Array.isArray(database))
    return database;
  const reason = `${fileName} is not in ActivityNet's format: "database" is missing.`;
  throw new AnnotationsError(`${reason} Choose another file.`);
}

/** Returns the id under which a database has a video, or null. */
export function idOf(database, name) {
  const ids = Object.keys(database);
  const same = ids.filter((id) => plainId(id) === plainId(name));
  return ids.find((id) => id === videoId(name)) ?? (same.length === 1 ? same[0] : null);
}

/**
 * Returns the times of an entry.
 *
 * @returns {{id: string, label: string, startS: number, endS: number}[]}
 * @throws {AnnotationsError}
 */
export function timesOf(entry, id, fileName) {
  const annotations = entry?.annotations ?? [];
  if (!Array.isArray(annotations)) throw unreadable(fileName, id);
  return annotations
    .filter((one) => one?.segment)
    .map(({ label, segment }, index) => {
      const [startS, endS] = [Number(segment[0]), Number(segment[1])];
      const isValid =
        typeof label === "string" && label && Number.isFinite(startS) && endS >= startS;
      if (!isValid || !Number.isFinite(endS)) throw unreadable(fileName, id);
      return { id: `truth:${index}`, label, startS, endS };
    });
}

function unreadable(fileName, id) {
  const expected = 'expected "annotations" with "label" and "segment" [start, end] in seconds';
  return new AnnotationsError(
    `${fileName}: the entry “${id}” cannot be read, ${expected}. ` + "Choose another file.",
  );
}

const isCorrected = (one) => ["accepted", "changed", "added"].includes(one.state);

/**
 * Returns the subset that an entry names, or null where it names none.
 *
 * @param {object|null|undefined} entry
 */
export function subsetOf(entry) {
  const subset = entry?.subset;
  return typeof subset === "string" && SUBSET.test(subset) ? subset : null;
}

/**
 * Returns the entry of a corrected video: times where somebody checked them, tags for the rest.
 *
 * A class has a tag unless all of its segments were rejected. A class with a segment that nobody
 * checked has an annotation without `segment`: it occurs at other times, which are not known.
 *
 * @param {import("../result/segments.js").Segment[]} segments
 * @param {number} durationS
 * @param {string|null} subset Subset of the video; null where nobody has named one. Such a video is
 *   one to learn from, so its entry has the subset `training`.
 */
export function entryOf(segments, durationS, subset) {
  const kept = segments.filter((one) => one.state !== "rejected");
  const tags = [...new Set(kept.map((one) => one.label))].sort();
  const timed = kept.filter(isCorrected).sort((a, b) => a.startS - b.startS);
  const annotations = timed.map(({ label, startS, endS }) => ({ label, segment: [startS, endS] }));
  const unchecked = new Set(kept.filter((one) => !isCorrected(one)).map((one) => one.label));
  const others = [...unchecked].sort().map((label) => ({ label }));
  return {
    duration: durationS,
    subset: subset ?? "training",
    annotations: [...annotations, ...others],
    tags,
  };
}

/** Returns the content of an annotations file with one video. */
export function fileOf(id, entry) {
  return `${JSON.stringify({ database: { [id]: entry } }, null, 1)}\n`;
}

/**
 * Returns the edits that put saved corrections in force: an equal segment is accepted, any other
 * is added.
 *
 * @param {import("../result/segments.js").Segment[]} found
 * @param {{label: string, startS: number, endS: number}[]} times
 */
export function loadEdits(found, times) {
  const open = found.filter((one) => one.state === "found");
  const [before, after] = [[], []];
  times.forEach(({ label, startS, endS }, index) => {
    const isSame = (one) =>
      one.label === label &&
      Math.abs(one.startS - startS) < 1e-6 &&
      Math.abs(one.endS - endS) < 1e-6;
    const same = open.find((one) => isSame(one) && !before.includes(one));
    if (same) {
      before.push(same);
      after.push({ ...same, state: "accepted" });
    } else {
      const id = `saved-${index}:${label}:${startS}-${endS}`;
      after.push({ id, label, startS, endS, score: 1, state: "added", source: "A" });
    }
  });
  return after.length ? [{ kind: "load", before, after }] : [];
}
