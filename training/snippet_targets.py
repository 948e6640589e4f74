"""Targets of single snippets, from the annotated times of corrected videos.

Whether a snippet shows a class is known

- of a class with segments, inside and outside of them. Around each edge, a ring may be left out.
- of a class that a corrected video does not show, anywhere.

A class that has a tag but no segment has no known times. A class with both also occurs at unknown
times: inside of its segments counts, outside is unknown. The tags count in each case.

A video counts as corrected if it has a segment of any class. A video that shows no class teaches by
its tags alone: many snippets outside would outweigh the few inside of the first corrected videos.

Axes: T snippets, C classes.
"""

import logging
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from model.segments import Segment
from training.datasets.video_record import VideoRecord, VideoSet

Targets: TypeAlias = NDArray[np.float32]
"""Share of a snippet (row) that shows a class (column), 0 to 1; NaN where it is unknown."""

_NAMED = 5
"""Videos that a message names at most."""
_log = logging.getLogger(__name__)


def snippet_targets(
    video: VideoRecord, classes: Sequence[str], *, snippets: int, ring: float = 0.0
) -> Targets:
    """Returns the targets of a video's snippets, (T, C); all NaN if it is not corrected.

    Example: in 4 snippets of 1 s, a segment from 0.5 to 2 s gives 0.5, 1, 0, 0. With a ring of 0.4
    of its length, snippets within 0.6 s of an edge are unknown: NaN, NaN, NaN, 0.

    Args:
        video: Video with its labels and segments.
        classes: Classes of the network, in its order.
        snippets: Number T of snippets that divide the video's time.
        ring: Share of a segment's length on either side of each edge that is unknown.
    """
    if not video.instances:
        return np.full((snippets, len(classes)), np.nan, np.float32)
    target_TC = np.zeros((snippets, len(classes)), np.float32)
    snippet_s = video.duration_s / snippets
    for column, label in enumerate(classes):
        if label not in video.labels:
            continue
        own = [one for one in video.instances if one.label == label]
        target_T = _class_targets(own, snippets, snippet_s, ring)
        if not own or label in video.untimed:
            target_T[target_T == 0] = np.nan
        target_TC[:, column] = target_T
    return target_TC


def _class_targets(own: Sequence[Segment], snippets: int, snippet_s: float, ring: float) -> Targets:
    """Returns the targets of one class, all of whose times are known, (T,)."""
    start_T = np.arange(snippets) * snippet_s
    centre_T = start_T + snippet_s / 2
    shown_T, is_ring_T = np.zeros(snippets), np.zeros(snippets, bool)
    for one in own:
        overlap_T = np.minimum(one.end_s, start_T + snippet_s) - np.maximum(one.start_s, start_T)
        shown_T += overlap_T.clip(min=0)
        for edge_s in (one.start_s, one.end_s):
            is_ring_T |= np.abs(centre_T - edge_s) < ring * (one.end_s - one.start_s)
    target_T = (shown_T / snippet_s).clip(max=1)
    return np.where(is_ring_T, np.nan, target_T).astype(np.float32)


def require_segments(training: VideoSet) -> None:
    """Checks that segments can be learned from, and logs how many videos have them.

    Raises:
        DataError: No video has a segment, or one has a segment that is not within its time.
    """
    corrected = [video for video in training.videos if video.instances]
    if not corrected:
        raise DataError(
            f"{training.source}: --segments use needs training videos with segments, and there "
            "are none; correct a video and save it, or use --segments ignore"
        )
    for video in corrected:
        for one in video.instances:
            _require_within(video, one)
    _log.info(
        "segments of %d of %d training videos are learned from",
        len(corrected),
        len(training.videos),
    )
    partly = [video.id for video in corrected if unknown_times(video)]
    if partly:
        names = ", ".join(partly[:_NAMED]) + ", ..." * (len(partly) > _NAMED)
        _log.warning(
            "%d corrected videos have tags without all of their times; there, the tag counts: %s",
            len(partly),
            names,
        )


def unknown_times(video: VideoRecord) -> set[str]:
    """Returns the classes of a video not all of whose times are known."""
    return (set(video.labels) - {one.label for one in video.instances}) | set(video.untimed)


def _require_within(video: VideoRecord, one: Segment) -> None:
    if one.start_s < one.end_s and one.start_s < video.duration_s and one.end_s > 0:
        return
    raise DataError(
        f"video {video.id!r}: expected segments within its {video.duration_s:g} s, got "
        f"{one.label} [{one.start_s:g}, {one.end_s:g}]; correct it, or use --segments ignore"
    )
