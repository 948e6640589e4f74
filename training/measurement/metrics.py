"""Metrics: ActivityNet's detection metric, frame accuracy, and average precision of tags.

Axes: K tIoU thresholds, N predictions of one class over all videos, G ground-truth instances,
V videos, M predictions that are matched at once, T snippets, C classes.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from model.segments import Segment, temporal_iou
from model.snippets import snippet_centres

MAX_THRESHOLDS = 1000
"""tIoU thresholds that a range may have."""
Videos = Mapping[str, Sequence[Segment]]
"""Segments of each video, by its id."""


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Average precision of detections, by class and tIoU threshold."""

    tiou_K: tuple[float, ...]
    """tIoU thresholds."""
    classes: tuple[str, ...]
    """Classes of the ground truth, sorted."""
    ap_KC: NDArray[np.float64]
    """Average precision of each class (column) at each threshold (row)."""

    @property
    def map_K(self) -> NDArray[np.float64]:
        """Mean average precision (mAP) at each threshold."""
        return self.ap_KC.mean(axis=1)

    @property
    def average(self) -> float:
        """Mean of the mAP over all thresholds."""
        return float(self.map_K.mean())

    def map_at(self, tiou: float) -> float:
        """Returns the mAP at one of the thresholds."""
        return float(self.map_K[np.flatnonzero(np.isclose(self.tiou_K, tiou))[0]])


def tiou_range(text: str) -> tuple[float, ...]:
    """Returns the thresholds in `0.5`, `0.3,0.5,0.7` or `first:last:step`, including the last."""
    try:
        if ":" in text:
            first, last, step = map(float, text.split(":"))
            steps = (last - first) / step
            if not 0 <= steps < MAX_THRESHOLDS:
                raise ValueError(f"expected 1 to {MAX_THRESHOLDS} thresholds")
            values = [first + step * i for i in range(round(steps) + 1)]
        else:
            values = [float(part) for part in text.split(",")]
        if not values or not all(0 < value <= 1 for value in values):
            raise ValueError("tIoU thresholds are in (0, 1]")
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(
            f"expected tIoU thresholds like 0.5 or 0.1:0.7:0.1, not {text!r}"
        ) from error
    return tuple(round(value, 10) for value in values)


def detection_score(truth: Videos, predictions: Videos, tiou_K: Sequence[float]) -> DetectionScore:
    """Returns ActivityNet's detection metric: average precision per class and tIoU threshold.

    The computation is that of the official evaluator. Predictions of a class are ranked by score
    over all videos. Each takes the free instance of its class and video with the largest tIoU, if
    that reaches the threshold. Precision is made monotone before it is summed. A class without
    predictions has 0. Predictions of classes that are not in the ground truth do not count.

    Raises:
        DataError: The ground truth contains no instance.
    """
    ranked = rank_detections(truth, predictions, tiou_K)
    ap_CK = [average_precision(one.hit_KN, one.instances) for one in ranked.values()]
    return DetectionScore(tuple(tiou_K), tuple(ranked), np.stack(ap_CK, axis=1))


@dataclass(frozen=True, slots=True)
class RankedDetections:
    """Predictions of one class over all videos, best first, and their hits."""

    instances: int
    """Number of ground-truth instances of the class."""
    video_N: NDArray[np.str_]
    """Video of each prediction."""
    times_N2: NDArray[np.float64]
    """Start and end of each prediction, in seconds."""
    score_N: NDArray[np.float64]
    """Score of each prediction."""
    hit_KN: NDArray[np.bool_]
    """Whether each prediction takes a free instance, at each tIoU threshold."""


def rank_detections(
    truth: Videos, predictions: Videos, tiou_K: Sequence[float]
) -> dict[str, RankedDetections]:
    """Returns the ranked predictions of each class in the ground truth, by class name, sorted.

    Raises:
        DataError: The ground truth contains no instance.
    """
    instances = _by_class(truth)
    if not instances:
        raise DataError("the ground truth has no timed instance, so there is nothing to score")
    predicted = _by_class(predictions)
    thresholds_K = np.asarray(tiou_K, dtype=np.float64)
    return {
        name: _rank(instances[name], predicted.get(name, _NO_SEGMENTS), thresholds_K)
        for name in sorted(instances)
    }


@dataclass(frozen=True, slots=True)
class _ClassSegments:
    """Segments of one class over all videos."""

    video: NDArray[np.str_]
    times_N2: NDArray[np.float64]
    score_N: NDArray[np.float64]


_NO_SEGMENTS = _ClassSegments(np.empty(0, dtype=np.str_), np.empty((0, 2)), np.empty(0))


def _by_class(videos: Videos) -> dict[str, _ClassSegments]:
    columns: dict[str, tuple[list[str], list[tuple[float, float]], list[float]]]
    columns = defaultdict(lambda: ([], [], []))
    for id_, segments in videos.items():
        for segment in segments:
            names, times, scores = columns[segment.label]
            names.append(id_)
            times.append((segment.start_s, segment.end_s))
            scores.append(segment.score)
    return {
        label: _ClassSegments(np.array(names), np.array(times), np.array(scores))
        for label, (names, times, scores) in columns.items()
    }


def _rank(
    truth: _ClassSegments, predicted: _ClassSegments, thresholds_K: NDArray[np.float64]
) -> RankedDetections:
    order = np.argsort(predicted.score_N, kind="stable")[::-1]
    video_N, times_N2 = predicted.video[order], predicted.times_N2[order]
    hit_KN = _match(truth, video_N, times_N2, thresholds_K)
    return RankedDetections(len(truth.video), video_N, times_N2, predicted.score_N[order], hit_KN)


def average_precision(
    hit_KN: NDArray[np.bool_], instances: int, counted_KN: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Returns the average precision of one class at each threshold, (K,); 0 without predictions.

    Example: predictions hit, miss, hit, miss with 2 instances. Precision is 1, 1/2, 2/3, 2/4, and
    monotone 1, 2/3, 2/3, 2/4. The hits have 1 and 2/3, so the result is (1 + 2/3) / 2 = 0.83.

    Args:
        hit_KN: Whether each prediction hits, best first.
        instances: Number of ground-truth instances.
        counted_KN: False where a prediction is to be ignored, which no hit may be.
    """
    precision_KN = monotone_precision(hit_KN, counted_KN)
    return np.asarray((precision_KN * hit_KN).sum(axis=1) / instances)


def monotone_precision(
    hit_KN: NDArray[np.bool_], counted_KN: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Returns the largest precision at each prediction or any later one, (K, N).

    The arguments and the example are those of `average_precision`.
    """
    rank = np.arange(1, hit_KN.shape[1] + 1)
    if counted_KN is not None:
        rank = np.maximum(np.cumsum(counted_KN, axis=1), 1)
    precision_KN = np.cumsum(hit_KN, axis=1) / rank
    return np.maximum.accumulate(precision_KN[:, ::-1], axis=1)[:, ::-1]


def _match(
    truth: _ClassSegments,
    video_N: NDArray[np.str_],
    times_N2: NDArray[np.float64],
    thresholds_K: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Returns whether each prediction, best first, takes a free instance, (K, N).

    All videos are matched at once: first the best prediction of each, then the second best, ...

    Example: a video has instances [0, 2] and [4, 8] and, best first, predictions [0, 2], [1, 3],
    [5, 8] and [0, 1]. At threshold 0.3, the first takes [0, 2] with tIoU 1. The second has tIoU 1/3
    with [0, 2], which is taken, so it misses. The third takes [4, 8] with tIoU 3/4. The fourth
    misses because both are taken. The hits are True, False, True, False.
    """
    names, row_G = np.unique(truth.video, return_inverse=True)
    slot_G = _rank_within(row_G)
    instances_VG2 = np.full((len(names), slot_G.max() + 1, 2), np.nan)
    instances_VG2[row_G, slot_G] = truth.times_N2
    instances_V = np.bincount(row_G)
    free_VKG = np.ones((len(names), len(thresholds_K), slot_G.max() + 1), dtype=bool)
    hit_KN = np.zeros((len(thresholds_K), len(video_N)), dtype=bool)
    row_N = np.minimum(np.searchsorted(names, video_N), len(names) - 1)
    known = np.flatnonzero(names[row_N] == video_N)
    rank = _rank_within(row_N[known])
    by_rank = known[np.argsort(rank, kind="stable")]
    for turn in np.split(by_rank, np.cumsum(np.bincount(rank))[:-1]) if len(known) else []:
        rows = row_N[turn]
        tiou_MG = temporal_iou(times_N2[turn, None], instances_VG2[rows])
        open_MKG = free_VKG[rows] & (tiou_MG[:, None] >= thresholds_K[:, None])
        preference_MG = _preference(tiou_MG, instances_V[rows])
        best_MK = np.where(open_MKG, preference_MG[:, None], -1).argmax(axis=2)
        took, threshold = np.nonzero(open_MKG.any(axis=2))
        free_VKG[rows[took], threshold, best_MK[took, threshold]] = False
        hit_KN[threshold, turn[took]] = True
    return hit_KN


def _preference(tiou_MG: NDArray[np.float64], instances_M: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns the rank of each instance by its tIoU with each prediction; the largest is best.

    Equal tIoUs are in the order of numpy's default argsort of the video's own instances, as in the
    official evaluator. The order decides which instance stays free for the next prediction. It
    differs between processors, which can change the mAP at 0.1 by 3e-4.

    Example: tIoUs 0.2, 0, 0.7 and 0.5 have ranks 1, 0, 3 and 2.
    """
    preference_MG = tiou_MG.argsort(axis=1).argsort(axis=1)
    ordered_MG = np.sort(tiou_MG, axis=1)
    tied_M = ((np.diff(ordered_MG, axis=1) == 0) & (ordered_MG[:, 1:] > 0)).any(axis=1)
    for row in np.flatnonzero(tied_M):
        own = instances_M[row]
        preference_MG[row, tiou_MG[row, :own].argsort()] = np.arange(own)
    return preference_MG


def _rank_within(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns for each element the number of earlier elements of its group.

    Example: groups 5, 2, 5, 5 give 0, 0, 1, 2.
    """
    order = np.argsort(group, kind="stable")
    count = np.bincount(group)
    rank = np.empty(len(group), dtype=np.intp)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(count) - count, count)
    return rank


@dataclass(slots=True)
class FrameAccuracy:
    """Share of action snippets whose class is right (paper, Table 6), summed video by video."""

    correct: int = 0
    """Snippets within an instance whose strongest class is that of the instance."""
    total: int = 0
    """Snippets within an instance; background does not count."""

    def add(
        self,
        cas_TC: NDArray[np.float32],
        present_C: NDArray[np.bool_],
        instances: Sequence[Segment],
        *,
        classes: Sequence[str],
        duration_s: float,
    ) -> None:
        """Counts one video; `present_C` marks the classes that reach tau, the only candidates."""
        centre_T = snippet_centres(snippets=len(cas_TC), duration_s=duration_s)
        truth_TC = np.zeros(cas_TC.shape, dtype=bool)
        action_T = np.zeros(len(cas_TC), dtype=bool)
        for instance in instances:
            within_T = (centre_T >= instance.start_s) & (centre_T < instance.end_s)
            action_T |= within_T
            if instance.label in classes:
                truth_TC[within_T, classes.index(instance.label)] = True
        self.total += int(action_T.sum())
        if present_C.any():
            class_T = np.where(present_C, cas_TC, -np.inf).argmax(axis=1)
            self.correct += int(truth_TC[np.arange(len(cas_TC)), class_T].sum())

    @property
    def value(self) -> float:
        """Accuracy in [0, 1]; NaN without any action snippet."""
        return self.correct / self.total if self.total else float("nan")


def tagging_map(scores_VC: NDArray[np.floating], labels_VC: NDArray[np.floating]) -> float:
    """Returns the mean average precision of the video-level scores, over the classes with videos.

    It needs no annotated times, so it can choose a checkpoint from tags alone.
    """
    ap_C = tagging_ap(scores_VC, labels_VC)
    present_C = ~np.isnan(ap_C)
    return float(ap_C[present_C].mean()) if present_C.any() else float("nan")


def tagging_ap(
    scores_VC: NDArray[np.floating], labels_VC: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Returns the average precision of the video-level scores of each class, (C,).

    A class that no video shows has NaN.

    Example: four videos score 0.9, 0.6, 0.4 and 0.1 for a class, and the first and third show it.
    Their precision is 1 and 2/3, so the average precision is 0.83.
    """
    order_VC = np.argsort(-scores_VC, axis=0, kind="stable")
    hit_VC = np.take_along_axis(labels_VC, order_VC, axis=0) > 0
    rank_V1 = np.arange(1, len(hit_VC) + 1)[:, None]
    precision_VC = np.cumsum(hit_VC, axis=0) / rank_V1
    shown_C = hit_VC.sum(axis=0)
    ap_C = (precision_VC * hit_VC).sum(axis=0) / np.maximum(shown_C, 1)
    return np.where(shown_C > 0, ap_C, np.nan)
