/** Which files a model and a service take. */

import { bytes } from "../parts/format.js";
import { tooLarge } from "../server/problems.js";

const VIDEOS = /\.(mp4|m4v|webm|mkv|mov|avi|mpe?g|m2ts|ts|wmv|flv|3gp|ogv)$/i;
const FEATURES = /\.npy$/i;
/** Extractor of a model that takes features only. */
const NO_EXTRACTOR = "unknown";

/** Where a model that takes features only gets a video. */
export const WRONG_MODEL = "This model takes features. Choose an .npy file, or a model that takes "
  + "videos.";
const WRONG_SERVICE = "This service takes features only. Choose an .npy file.";

/** Types of the file chooser. */
export const CHOSEN_TYPES = "video/*,.mkv,.avi,.mov,.npy";

/** Returns whether a file has features. */
export function isFeatures(file) {
  return FEATURES.test(file.name);
}

/** Returns whether a model takes videos. */
export function takesVideos(model) {
  return model.extractor !== NO_EXTRACTOR;
}

/** Returns the line below the drop zone. */
export function acceptedText(model, { limits, videos }) {
  if (!videos || (model && !takesVideos(model))) {
    return `Features as .npy, up to ${bytes(limits.max_body_bytes)} each`;
  }
  const limit = bytes(limits.max_video_bytes);
  return `MP4, WebM, MKV, MOV, AVI, up to ${limit} each, or features as .npy`;
}

/**
 * Returns why a file is refused, or null.
 *
 * @param {{name: string, size: number, type: string}} file
 * @param {{extractor?: string}} model
 * @param {import("../server/api.js").Capabilities} service
 * @returns {{title: string, text: string}|null}
 */
export function refusalOf(file, model, { limits, videos }) {
  const hasFeatures = isFeatures(file);
  const isVideo = VIDEOS.test(file.name) || file.type.startsWith("video/");
  const limit = hasFeatures ? limits.max_body_bytes : limits.max_video_bytes;
  if (!hasFeatures && !isVideo) {
    return { title: `${file.name} is not a video`,
      text: "Choose MP4, WebM, MKV, MOV, AVI, or features as .npy." };
  }
  if (file.size === 0) {
    return { title: `${file.name} is empty`, text: "Copy it again, then drop it here." };
  }
  if (file.size > limit) {
    return { title: `${file.name} is too large`, text: tooLarge(file.size, limit) };
  }
  if (!hasFeatures && (!videos || !takesVideos(model))) {
    return { title: `${file.name} was not taken`, text: videos ? WRONG_MODEL : WRONG_SERVICE };
  }
  return null;
}
