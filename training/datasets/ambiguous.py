"""Times that THUMOS14's annotators could not decide on, which W-TALC's evaluation leaves out."""

import math
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from features.video_ids import match_ids
from model.errors import DataError
from model.segments import Segment

Times: TypeAlias = Mapping[str, Sequence[tuple[float, float]]]
"""Start and end in seconds of each interval, by id of the video."""


def read_ambiguous(path: Path, ids: Collection[str]) -> Times:
    """Returns the intervals in a file like THUMOS14's Ambiguous_test.txt, `ID START END` a line.

    Args:
        path: File to read. It may have other videos as well.
        ids: Ids of the videos that are measured; the spelling of an id follows features/video_ids.

    Raises:
        DataError: The file cannot be read, a line is not valid, or no line has one of the videos.
    """
    times = _read(path)
    named = {id_: times[name] for id_, name in match_ids(ids, times).items()}
    if times and not named:
        raise DataError(
            f"{path} has none of {len(ids)} videos, for instance {next(iter(times))!r}; expected "
            f"names such as {min(ids, default='')!r}"
        )
    return named


def _read(path: Path) -> dict[str, list[tuple[float, float]]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path} cannot be read: {error}") from error
    times: dict[str, list[tuple[float, float]]] = {}
    for number, words in enumerate(map(str.split, lines), start=1):
        if not words:
            continue
        try:
            id_, start, end = words
            start_s, end_s = float(start), float(end)
            if not (math.isfinite(start_s) and start_s < end_s < math.inf):
                raise ValueError("the end is not after the start")
        except ValueError as error:
            raise DataError(
                f"{path}, line {number}: expected ID START END in seconds, got {' '.join(words)!r}"
            ) from error
        times.setdefault(id_, []).append((start_s, end_s))
    return times


def decided(
    segments: Sequence[Segment], intervals: Sequence[tuple[float, float]]
) -> tuple[Segment, ...]:
    """Returns the segments that overlap none of the intervals.

    W-TALC's `filter_segments` does the same in whole snippets, whatever the class of a segment is.
    """
    return tuple(
        one
        for one in segments
        if not any(one.start_s < end_s and start_s < one.end_s for start_s, end_s in intervals)
    )
