"""Segments as a project of BORIS (.boris, project format 7.0).

BORIS reads observations from its projects and from spreadsheets, not from CSV. A project also has
the ethogram, so it opens as it is, and "Import observations" reads it into another project.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from ecm_client.formats.video_segments import SCORE_DIGITS, VideoSegments, without_overlap
from ecm_client.segments import Segment

_PLAYERS = 8
_KEYS = "abcdefghijklmnopqrstuvwxyz0123456789"
"""Keys by which a person codes the behaviors; further behaviors have none."""


def boris_text(videos: Sequence[VideoSegments]) -> str:
    """Returns a project with one observation for each video; a label becomes a state event.

    BORIS pairs start and stop of a state by subject. Overlapping segments of one label therefore
    have the subjects "", "overlap 2", "overlap 3". The score is the comment of the start.
    """
    codes = dict.fromkeys(_code(s.label) for video in videos for s in video.segments)
    observations = {video.video_id or video.media: _observation(video) for video in videos}
    rows = max((row for video in videos for _, row in _rows(video)), default=0)
    subjects = [_subject(row) for row in range(1, rows + 1)]
    project = {
        "time_format": "hh:mm:ss",
        "project_date": _now(),
        "project_name": "ecm-localizer",
        "project_description": "",
        "project_format_version": "7.0",
        "subjects_conf": {
            str(index): {"key": "", "name": name, "description": ""}
            for index, name in enumerate(subjects)
        },
        "behaviors_conf": {str(index): _behavior(code, index) for index, code in enumerate(codes)},
        "behavioral_categories": [],
        "independent_variables": {},
        "coding_map": {},
        "behaviors_coding_map": [],
        "converters": {},
        "observations": observations,
    }
    return json.dumps(project, indent=1, ensure_ascii=False)


def _observation(video: VideoSegments) -> dict[str, object]:
    files = {str(player): [video.media] if player == 1 else [] for player in range(1, _PLAYERS + 1)}
    duration_s = video.duration_s or max((s.end_s for s in video.segments), default=0.0)
    return {
        "file": files,
        "type": "MEDIA",
        "date": _now(),
        "description": "",
        "time offset": 0.0,
        "events": _events(video),
        "observation time interval": [0, 0],
        "independent_variables": {},
        "visualize_spectrogram": False,
        "visualize_waveform": False,
        "media_creation_date_as_offset": False,
        "media_scan_sampling_duration": 0,
        "image_display_duration": 1,
        "close_behaviors_between_videos": False,
        "media_info": {
            "length": {video.media: duration_s},
            "fps": {video.media: video.frame_rate or 0.0},
            "hasVideo": {video.media: True},
            "hasAudio": {video.media: False},
            "offset": {"1": 0.0},
        },
    }


def _events(video: VideoSegments) -> list[list[object]]:
    """Returns start and stop of each segment: time, subject, code, modifier, comment, frame."""
    events: list[tuple[int, str, str, str]] = []
    for (label, row), segments in _rows(video).items():
        subject, code = _subject(row), _code(label)
        for start_ms, end_ms, segment in segments:
            events.append((start_ms, subject, code, f"score {segment.score:.{SCORE_DIGITS}g}"))
            events.append((end_ms, subject, code, ""))
    # Sorting is stable: where one segment starts as another stops, the stop stays first.
    events.sort(key=lambda event: event[0])
    rate = video.frame_rate
    return [
        [ms / 1000, subject, code, "", comment, round(ms / 1000 * rate) if rate else "NA"]
        for ms, subject, code, comment in events
    ]


def _rows(video: VideoSegments) -> dict[tuple[str, int], list[tuple[int, int, Segment]]]:
    return without_overlap(video.in_milliseconds())


def _subject(row: int) -> str:
    return f"overlap {row + 1}" if row else ""


def _behavior(code: str, index: int) -> dict[str, object]:
    return {
        "type": "State event",
        "key": _KEYS[index] if index < len(_KEYS) else "",
        "code": code,
        "description": "",
        "color": "",
        "category": "",
        "modifiers": {},
        "excluded": "",
        "coding map": "",
    }


def _code(label: str) -> str:
    """Returns a label without the only character that BORIS refuses in codes."""
    return label.replace("|", "/")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S")
