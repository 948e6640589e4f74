"""Segments as JSON: own documents, ActivityNet's result format, Label Studio's tasks."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ecm_client.formats.video_segments import SCORE_DIGITS, TIME_DIGITS, VideoSegments, rounded
from ecm_client.segments import Segment

_LABEL_STUDIO_TAGS = {"from_name": "videoLabels", "to_name": "video"}
"""Names of the tags in Label Studio's template "Video Frame Classification"."""


def json_text(videos: Sequence[VideoSegments]) -> str:
    """Returns one video as a JSON object, indented."""
    (video,) = videos
    return json.dumps(_document(video), indent=2, ensure_ascii=False) + "\n"


def json_lines(videos: Sequence[VideoSegments]) -> str:
    """Returns a JSON object for each video, each on a line."""
    return "".join(f"{json.dumps(_document(video))}\n" for video in videos)


def activitynet_text(videos: Sequence[VideoSegments]) -> str:
    """Returns an ActivityNet result file."""
    results = {
        video.video_id: [
            {"label": label, "score": score, "segment": [start_s, end_s]}
            for start_s, end_s, label, score in map(rounded, video.segments)
        ]
        for video in videos
    }
    return json.dumps({"version": "ecm-localizer", "results": results, "external_data": {}})


def label_studio_text(videos: Sequence[VideoSegments]) -> str:
    """Returns Label Studio tasks whose predictions are timeline labels.

    Source: https://labelstud.io/tags/timelinelabels and https://labelstud.io/guide/predictions.

    Raises:
        FormatError: a video has no frame rate.
    """
    return json.dumps([_task(video) for video in videos], indent=2, ensure_ascii=False)


def segment_objects(segments: Iterable[Segment]) -> list[dict[str, object]]:
    """Returns the segments as the service returns them."""
    return [
        {"label": label, "start_s": start_s, "end_s": end_s, "score": score}
        for start_s, end_s, label, score in map(rounded, segments)
    ]


def _document(video: VideoSegments) -> Mapping[str, object]:
    duration_s = video.duration_s
    return {
        "video_id": video.video_id,
        **({"file": video.file} if video.file else {}),
        "duration_s": None if duration_s is None else round(duration_s, TIME_DIGITS),
        **({} if video.frame_rate is None else {"frame_rate": video.frame_rate}),
        "segments": segment_objects(video.segments),
        **video.facts,
    }


def _task(video: VideoSegments) -> dict[str, Any]:
    """Returns one task. The first frame is 1, and the last frame of a range belongs to it.

    The frames 0 to 25, without frame 25, are therefore the range 1 to 25.
    """
    regions = [
        {
            "id": f"segment-{number}",
            **_LABEL_STUDIO_TAGS,
            "type": "timelinelabels",
            "origin": "prediction",
            "score": round(segment.score, SCORE_DIGITS),
            "value": {
                "ranges": [{"start": start + 1, "end": end}],
                "timelinelabels": [segment.label],
            },
        }
        for number, (start, end, segment) in enumerate(video.in_frames(), 1)
    ]
    predictions = [{"model_version": "ecm-localizer", "result": regions}]
    return {"data": {"video": video.media}, "predictions": predictions}
