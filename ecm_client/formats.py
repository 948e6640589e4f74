"""Segments as CSV, WebVTT and ActivityNet's JSON.

Times are rounded to the millisecond and scores to four digits.
"""

import csv
import html
import io
import json
from collections.abc import Iterable, Mapping

from ecm_client.segments import Segment

TIME_DIGITS, SCORE_DIGITS = 3, 4


def rounded(segment: Segment) -> Segment:
    """Returns a segment with its times and its score rounded for output."""
    return Segment(
        round(segment.start_s, TIME_DIGITS),
        round(segment.end_s, TIME_DIGITS),
        segment.label,
        round(segment.score, SCORE_DIGITS),
    )


def clock(seconds: float) -> str:
    """Returns a time as a player shows it, with tenths: `0:12.3`, or `1:02:03.4`."""
    minutes, tenths = divmod(round(10 * seconds), 600)
    hours, minutes = divmod(minutes, 60)
    end = f"{tenths // 10:02d}.{tenths % 10}"
    return f"{hours}:{minutes:02d}:{end}" if hours else f"{minutes}:{end}"


def csv_text(segments: Iterable[Segment]) -> str:
    """Returns a CSV table with the columns label, start_s, end_s and score."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("label", "start_s", "end_s", "score"))
    for start_s, end_s, label, score in map(rounded, segments):
        writer.writerow((label, start_s, end_s, score))
    return text.getvalue()


def vtt_text(segments: Iterable[Segment]) -> str:
    """Returns WebVTT captions, one cue for each segment, by time (W3C, WebVTT 1).

    A player shows label and score while the action lasts. Every cue lasts at least 1 ms, because
    WebVTT allows no empty cue.
    """
    cues = ["WEBVTT\n"]
    for segment in sorted(segments):
        start_ms, end_ms = round(1e3 * segment.start_s), round(1e3 * segment.end_s)
        times = f"{_vtt_time(start_ms)} --> {_vtt_time(max(end_ms, start_ms + 1))}"
        label = html.escape(" ".join(segment.label.split()), quote=False)
        cues.append(f"{times}\n{label} {round(segment.score, SCORE_DIGITS)}\n")
    return "\n".join(cues)


def activitynet_text(videos: Mapping[str, Iterable[Segment]]) -> str:
    """Returns an ActivityNet result file with the segments of videos by id."""
    results = {
        video_id: [
            {"label": label, "score": score, "segment": [start_s, end_s]}
            for start_s, end_s, label, score in map(rounded, segments)
        ]
        for video_id, segments in videos.items()
    }
    return json.dumps({"version": "ecm-localizer", "results": results, "external_data": {}})


def _vtt_time(milliseconds: int) -> str:
    """Returns a WebVTT timestamp, hh:mm:ss.mmm."""
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}.{milliseconds:03d}"
