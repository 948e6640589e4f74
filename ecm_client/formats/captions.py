"""Segments as WebVTT captions (W3C, WebVTT 1)."""

import html
from collections.abc import Sequence

from ecm_client.formats.video_segments import VideoSegments, caption


def vtt_text(videos: Sequence[VideoSegments]) -> str:
    """Returns the captions of one video, one cue for each segment, by time.

    A player shows label and score while the action lasts.
    """
    (video,) = videos
    cues = ["WEBVTT\n"]
    for start_ms, end_ms, segment in video.in_milliseconds():
        text = html.escape(caption(segment), quote=False)
        cues.append(f"{_stamp(start_ms)} --> {_stamp(end_ms)}\n{text}\n")
    return "\n".join(cues)


def _stamp(milliseconds: int) -> str:
    """Returns a WebVTT timestamp, hh:mm:ss.mmm."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"
