"""The segments of one video on their way into a file, and the times that all formats share.

Times are rounded to the millisecond and scores to four digits.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from ecm_client.errors import FormatError
from ecm_client.segments import Segment

TIME_DIGITS, SCORE_DIGITS = 3, 4
_NTSC_FPS = {Fraction(1000 * rate, 1001) for rate in (24, 30, 48, 60, 120)}
_NTSC_TOLERANCE_FPS = 0.005
"""A header may have 23.976 or 29.97 for these rates."""
_HIGHEST_RATE_FPS = 100_000.0


@dataclass(frozen=True, slots=True)
class VideoSegments:
    """One video with the segments that a file takes."""

    video_id: str
    """Name of the video; empty if it has none."""
    segments: Sequence[Segment]
    """Segments in any order; they may overlap."""
    duration_s: float | None = None
    """Length of the video in seconds; None if not known."""
    frame_rate: float | None = None
    """Frames a second; None if not known."""
    file: str = ""
    """Path or address of the video, for formats that open it; the id by default."""
    facts: Mapping[str, object] = field(default_factory=dict)
    """Further facts about the result, for JSON."""

    @property
    def media(self) -> str:
        """Path or address of the video, or a name in its place."""
        return self.file or self.video_id or "video"

    @property
    def exact_rate(self) -> Fraction:
        """Frames a second as a fraction; 29.97 becomes 30000/1001.

        Raises:
            FormatError: the frame rate is not known.
        """
        rate = self.frame_rate
        if rate is None or not 0 < rate < _HIGHEST_RATE_FPS:
            raise FormatError(
                f"{self.media} has no frame rate, and this format counts frames; "
                "give the frames a second of the video"
            )
        nearest = min(_NTSC_FPS, key=lambda ntsc: abs(ntsc - Fraction(rate)))
        if abs(float(nearest) - rate) < _NTSC_TOLERANCE_FPS:
            return nearest
        return Fraction(rate).limit_denominator(1001)

    def in_milliseconds(self) -> list[tuple[int, int, Segment]]:
        """Returns start, end and segment by time, in milliseconds from 0.

        Every segment lasts at least 1 ms, because programs refuse empty ones.
        """
        return [
            _whole(segment, max(0, round(1000 * segment.start_s)), round(1000 * segment.end_s))
            for segment in sorted(self.segments)
        ]

    def in_frames(self) -> list[tuple[int, int, Segment]]:
        """Returns start, end and segment by time; the frame `end` is the first one after it.

        Every segment has at least one frame. No segment exceeds the video, because video editors
        do not find frames that the file lacks. At 25 frames a second, 0.99 s to 1.02 s becomes 25
        to 26.

        Raises:
            FormatError: the frame rate is not known.
        """
        rate = self.exact_rate
        frames = None if self.duration_s is None else max(1, round(self.duration_s * rate))
        found = []
        for segment in sorted(self.segments):
            start, end = max(0, round(segment.start_s * rate)), round(segment.end_s * rate)
            if frames is not None:
                start, end = min(start, frames - 1), min(end, frames)
            found.append(_whole(segment, start, end))
        return found


def _whole(segment: Segment, start: int, end: int) -> tuple[int, int, Segment]:
    return start, max(end, start + 1), segment


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


def caption(segment: Segment) -> str:
    """Returns label and score on one line, for people: `throw 0.9123`."""
    return f"{one_line(segment.label)} {round(segment.score, SCORE_DIGITS)}"


def one_line(text: str) -> str:
    """Returns a text without line breaks and without characters that XML forbids."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def without_overlap(
    times: Iterable[tuple[int, int, Segment]],
) -> dict[tuple[str, int], list[tuple[int, int, Segment]]]:
    """Returns segments by label and row; in a row, none begins before the one before it ends.

    Programs in which a person codes one state at a time cannot hold overlapping segments of one
    label. The segments 0 to 4, 3 to 6 and 5 to 8 need two rows: 0 to 4 and 5 to 8; 3 to 6.

    Args:
        times: start, end and segment, sorted by start.
    """
    rows: dict[tuple[str, int], list[tuple[int, int, Segment]]] = {}
    ends: dict[str, list[tuple[int, int]]] = {}
    for start, end, segment in times:
        used = ends.setdefault(segment.label, [])  # a heap of end and row
        if used and used[0][0] <= start:
            row = heapq.heapreplace(used, (end, used[0][1]))[1]
        else:
            row = len(used)
            heapq.heappush(used, (end, row))
        rows.setdefault((segment.label, row), []).append((start, end, segment))
    return rows
