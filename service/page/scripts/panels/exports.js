/** Export menu: formats, clips, and the link to this view. */

import { openMenu } from "../parts/menus.js";
import { notify } from "../parts/notices.js";
import { sentenceOf } from "../server/problems.js";
import { hashOf, route } from "../router.js";
import { byTime } from "../result/segments.js";
import { videoId } from "../compare/annotations.js";
import { copyText, saveFile } from "./save_file.js";
import { linkParams } from "./settings_text.js";

/** Name of the format at the service, text, ending, and whether it needs a frame rate. */
const FORMATS = [
  ["csv", "CSV table", ".csv"],
  ["json", "JSON", ".json"],
  ["activitynet", "ActivityNet JSON", ".json"],
  ["vtt", "WebVTT subtitles", ".vtt"],
  ["edl", "EDL, CMX 3600", ".edl", "counts frames"],
  ["elan", "ELAN", ".eaf"],
  ["boris", "BORIS", ".boris"],
  ["labelstudio", "Label Studio", ".json", "counts frames"],
];

/** Returns the segments as shown, in the form of the service; rejected ones are left out. */
export function asShown(segments) {
  return byTime(segments.filter((one) => one.state !== "rejected")).map(
    ({ label, startS, endS, score }) => ({ label, start_s: startS, end_s: endS, score }),
  );
}

/**
 * Opens the menu below its button.
 *
 * @param {HTMLElement} anchor
 * @param {import("../result/session.js").Session} session
 * @param {import("../server/api.js").Api} api
 * @param {{clips: boolean}} capabilities
 */
export function openExport(anchor, session, api, capabilities) {
  const segments = asShown(session.segments);
  const noClips = clipsMissing(session, capabilities);
  const disabled = segments.length ? undefined : "No segment is shown";
  const clip = (text, exact) => ({
    text,
    hint: ".zip",
    disabled: disabled ?? noClips,
    does: () => exportClips(session, api, segments, exact),
  });
  openMenu(anchor, [
    { text: `Segments, as shown: ${segments.length}` },
    ...FORMATS.map(([format, text, hint, countsFrames]) => ({
      text,
      hint,
      disabled:
        countsFrames && !session.frameRate ? "The frame rate of this video is unknown" : undefined,
      does: () => exportAs(format, hint, session, api, segments),
    })),
    "line",
    ...(capabilities.clips
      ? [
          { text: "Clips" },
          clip("Cut at key frames, fast", false),
          clip("Cut exactly, slower", true),
          "line",
        ]
      : []),
    { text: "Copy link to this view", icon: "link", does: () => copyLink(session) },
  ]);
}

function clipsMissing(session, capabilities) {
  if (!capabilities.clips) return "This service cuts no clips";
  return session.job && session.videoUrl ? undefined : "The service no longer has the video";
}

async function exportAs(format, ending, session, api, segments) {
  const id = videoId(session.name);
  const what = {
    video_id: id,
    duration_s: session.durationS,
    frame_rate: session.frameRate,
    segments,
  };
  await take(async () => {
    const { name, content } = await api.exported(format, what);
    saveFile(name || `${id}${ending}`, content);
  }, "The file was not made");
}

async function exportClips(session, api, segments, exact) {
  notify("Cutting the clips.");
  await take(async () => {
    const { name, content } = await api.clips(session.job.id, segments, exact);
    saveFile(name || `${videoId(session.name)}-clips.zip`, content);
  }, "The zip was not made");
}

async function take(does, failed) {
  try {
    await does();
  } catch (error) {
    const words = sentenceOf(error);
    notify(`${failed}: ${words.charAt(0).toLowerCase()}${words.slice(1)}`, { kind: "error" });
  }
}

/** Copies the address of this video with time and settings. */
export async function copyLink(session) {
  const { view, id, params } = route();
  const name = params.get("name");
  const hash = hashOf(view, id, { ...(name ? { name } : {}), ...linkParams(session) });
  await copyText(new URL(hash, location.href).href);
  notify("Copied the link.");
}
