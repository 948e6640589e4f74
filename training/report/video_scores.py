"""Localization quality of each video, from which the best and worst are chosen.

Axes: N predictions.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measurement.metrics import RankedDetections, Videos, average_precision
from training.report.diagnosis import rows_by_video


@dataclass(frozen=True, slots=True)
class VideoScore:
    """Localization quality of one video with instances."""

    id: str
    """Id of the video."""
    ap: float
    """Average precision of all segments of the video, ranked by score across its classes."""
    instances: int
    """Number of ground-truth instances in the video."""


def video_scores(
    truth: Videos, ranked: Mapping[str, RankedDetections], threshold: int
) -> list[VideoScore]:
    """Returns the videos with instances, best first; ties go to the video with more instances.

    Args:
        truth: the instances of every video.
        ranked: the predictions, as `rank_detections` returns them for these instances.
        threshold: index of the tIoU threshold at which a prediction counts as a hit.
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
    """Returns which predictions of each video are hits, best first across all classes."""
    # Example: class a has scores 0.9 (video x) and 0.3 (y), class b has 0.6 (y) and 0.5 (x).
    # All four in the order of their scores: x, y, x, y. So x has the hits of 0.9 and 0.5, and
    # y those of 0.6 and 0.3.
    score_N = np.concatenate([of_class.score_N for of_class in ranked.values()])
    order = np.argsort(-score_N, kind="stable")
    video_N = np.concatenate([of_class.video_N for of_class in ranked.values()])[order]
    hit_N = np.concatenate([of_class.hit_KN[threshold] for of_class in ranked.values()])[order]
    return {id_: hit_N[rows] for id_, rows in rows_by_video(video_N).items()}


def extremes(scores: list[VideoScore], limit: int) -> tuple[list[VideoScore], list[VideoScore]]:
    """Returns up to `limit` best and `limit` worst videos, worst first; no video is in both."""
    best = scores[: min(limit, (len(scores) + 1) // 2)]
    worst = sorted(scores[len(best) :], key=lambda score: (score.ap, -score.instances))
    return best, worst[:limit]
