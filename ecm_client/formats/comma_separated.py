"""Segments as a CSV table (RFC 4180)."""

import csv
import io
from collections.abc import Iterable, Sequence

from ecm_client.formats.video_segments import VideoSegments, rounded


def csv_text(videos: Sequence[VideoSegments]) -> str:
    """Returns a CSV table with the columns video, label, start_s, end_s and score.

    Without an id of any video, there is no column `video`.
    """
    head = ("label", "start_s", "end_s", "score")
    rows = (
        (video.video_id, label, start_s, end_s, score)
        for video in videos
        for start_s, end_s, label, score in map(rounded, video.segments)
    )
    if any(video.video_id for video in videos):
        return _table(("video", *head), rows)
    return _table(head, (row[1:] for row in rows))


def _table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(rows)
    return text.getvalue()
