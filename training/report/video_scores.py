"""How well each single video is localized, to find the best and the worst.

Axes: N predictions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import RankedDetections, Videos, average_precision
from training.report.diagnosis import rows_by_video


@dataclass(frozen=True, slots=True)
class VideoScore:
    """One video with instances."""

    id: str
    """Its name."""
    ap: float
    """Average precision of its segments, of whatever class, in the order of their scores."""
    instances: int
    """Its instances."""


def video_scores(
    truth: Videos, ranked: Mapping[str, RankedDetections], threshold: int
) -> list[VideoScore]:
    """Returns the videos with instances, best first; of equal ones that with more instances.

    Args:
        truth: the instances of every video.
        ranked: the predictions as `rank_detections` gives them for these instances.
        threshold: which of its tIoU thresholds counts, by place.
    """
    hits = _hits_by_video(ranked, threshold)
    none = np.empty(0, dtype=np.bool_)
    scores = [
        VideoScore(
            id_,
            float(average_precision(hits.get(id_, none)[None], len(instances))[0]),
            len(instances),
        )
        for id_, instances in truth.items()
        if instances
    ]
    return sorted(scores, key=lambda score: (-score.ap, -score.instances))


def _hits_by_video(
    ranked: Mapping[str, RankedDetections], threshold: int
) -> dict[str, NDArray[np.bool_]]:
    """Returns which predictions of each video hit, best first over all classes."""
    score_N = np.concatenate([found.score_N for found in ranked.values()])
    order = np.argsort(-score_N, kind="stable")
    video_N = np.concatenate([found.video_N for found in ranked.values()])[order]
    hit_N = np.concatenate([found.hit_KN[threshold] for found in ranked.values()])[order]
    return {id_: hit_N[rows] for id_, rows in rows_by_video(video_N).items()}


def extremes(scores: list[VideoScore], limit: int) -> tuple[list[VideoScore], list[VideoScore]]:
    """Returns up to so many of the best and of the worst videos, worst first; none is both."""
    best = scores[: min(limit, (len(scores) + 1) // 2)]
    worst = sorted(scores[len(best) :], key=lambda score: (score.ap, -score.instances))
    return best, worst[:limit]
