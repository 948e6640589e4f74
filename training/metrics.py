"""How good predictions are: the ActivityNet detection metric, frame accuracy, tagging.

Axes: K tIoU thresholds, N predictions, G ground-truth instances of one class in one video.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from model.segments import Segment, temporal_iou
from model.snippets import snippet_centres

Videos = Mapping[str, Sequence[Segment]]
"""Segments by video."""


@dataclass(frozen=True, slots=True)
class DetectionScore:
    """Average precision of detections."""

    tiou_K: tuple[float, ...]
    """The tIoU thresholds."""
    classes: tuple[str, ...]
    """The classes of the ground truth, sorted."""
    ap_KC: NDArray[np.float64]
    """Average precision at each threshold of each class."""

    @property
    def map_K(self) -> NDArray[np.float64]:
        """Mean average precision (mAP) at each threshold."""
        return self.ap_KC.mean(axis=1)

    @property
    def average(self) -> float:
        """The mean of the mAPs."""
        return float(self.map_K.mean())

    def map_at(self, tiou: float) -> float:
        """Returns the mAP at one of the thresholds."""
        return float(self.map_K[np.flatnonzero(np.isclose(self.tiou_K, tiou))[0]])


def tiou_range(text: str) -> tuple[float, ...]:
    """Returns the thresholds of `0.5`, `0.3,0.5,0.7` or `first:last:step` (last included)."""
    try:
        if ":" in text:
            first, last, step = map(float, text.split(":"))
            values = [first + step * i for i in range(round((last - first) / step) + 1)]
        else:
            values = [float(part) for part in text.split(",")]
        if not values or not all(0 < value <= 1 for value in values):
            raise ValueError("tIoU thresholds lie in (0, 1]")
    except (ValueError, ZeroDivisionError) as error:
        raise DataError(
            f"expected tIoU thresholds like 0.5 or 0.1:0.7:0.1, not {text!r}"
        ) from error
    return tuple(round(value, 10) for value in values)


def detection_score(truth: Videos, predictions: Videos, tiou_K: Sequence[float]) -> DetectionScore:
    """Returns the ActivityNet metric: average precision per class and tIoU threshold.

    As the official evaluator does it: predictions of a class in the order of their scores over
    all videos; each takes the free instance of its class and video with which its tIoU is
    largest, if that reaches the threshold; precision is made monotone before it is summed.
    A class without a prediction has 0. Predictions of classes that the truth does not know are
    left out.

    Raises:
        DataError: the truth holds no instance.
    """
    ranked = rank_detections(truth, predictions, tiou_K)
    ap_CK = [average_precision(found.hit_KN, found.instances) for found in ranked.values()]
    return DetectionScore(tuple(tiou_K), tuple(ranked), np.stack(ap_CK, axis=1))


@dataclass(frozen=True, slots=True)
class RankedDetections:
    """The predictions of one class over all videos, best first, and which of them hit."""

    instances: int
    """Ground-truth instances of the class."""
    video_N: NDArray[np.str_]
    """The video of each prediction."""
    times_N2: NDArray[np.float64]
    """Its start and end in seconds."""
    score_N: NDArray[np.float64]
    """Its score."""
    hit_KN: NDArray[np.bool_]
    """Whether it takes a free instance, at each tIoU threshold."""


def rank_detections(
    truth: Videos, predictions: Videos, tiou_K: Sequence[float]
) -> dict[str, RankedDetections]:
    """Returns the predictions of each class of the truth as `detection_score` judges them, sorted.

    Raises:
        DataError: the truth holds no instance.
    """
    instances = _by_class(truth)
    if not instances:
        raise DataError("the ground truth holds no timed instance, so there is nothing to score")
    found = _by_class(predictions)
    thresholds_K = np.asarray(tiou_K, dtype=np.float64)
    return {
        name: _rank(instances[name], found.get(name, _NO_SEGMENTS), thresholds_K)
        for name in sorted(instances)
    }


@dataclass(frozen=True, slots=True)
class _ClassSegments:
    """All segments of one class."""

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
    truth: _ClassSegments, found: _ClassSegments, thresholds_K: NDArray[np.float64]
) -> RankedDetections:
    order = np.argsort(found.score_N, kind="stable")[::-1]
    video_N, times_N2 = found.video[order], found.times_N2[order]
    hit_KN = _match(truth, video_N, times_N2, thresholds_K)
    return RankedDetections(len(truth.video), video_N, times_N2, found.score_N[order], hit_KN)


def average_precision(
    hit_KN: NDArray[np.bool_], instances: int, counted_KN: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Returns the average precision of one class at each threshold, (K,); 0 without prediction.

    Args:
        hit_KN: which predictions hit, best first.
        instances: how many there are to find.
        counted_KN: what is False is left out, as if it had not been predicted; no hit may be.
    """
    precision_KN = monotone_precision(hit_KN, counted_KN)
    return np.asarray((precision_KN * hit_KN).sum(axis=1) / instances)


def monotone_precision(
    hit_KN: NDArray[np.bool_], counted_KN: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Returns the best precision that a class has at each prediction or a later one, (K, N).

    The arguments are those of `average_precision`.
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
    """Returns which predictions, best first, find a free instance: (K, N).

    Works on all videos at once: first the best prediction of each, then the second best, ...
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
    """Returns the place of each instance when a prediction's tIoUs are sorted, larger is better.

    Equal tIoUs stand as numpy's default argsort of the video's own instances leaves them: that
    is what the official evaluator does. It decides which instance stays free for the next
    prediction and can move the mAP at 0.1 by 3e-4 between processors, whose sorts differ.
    """
    preference_MG = tiou_MG.argsort(axis=1).argsort(axis=1)
    ordered_MG = np.sort(tiou_MG, axis=1)
    tied_M = ((np.diff(ordered_MG, axis=1) == 0) & (ordered_MG[:, 1:] > 0)).any(axis=1)
    for row in np.flatnonzero(tied_M):
        own = instances_M[row]
        preference_MG[row, tiou_MG[row, :own].argsort()] = np.arange(own)
    return preference_MG


def _rank_within(group: NDArray[np.intp]) -> NDArray[np.intp]:
    """Returns for each element how many of its group stand before it."""
    order = np.argsort(group, kind="stable")
    count = np.bincount(group)
    rank = np.empty(len(group), dtype=np.intp)
    rank[order] = np.arange(len(group)) - np.repeat(np.cumsum(count) - count, count)
    return rank


@dataclass(slots=True)
class FrameAccuracy:
    """Share of action snippets whose class is named rightly (paper, Table 6), video by video."""

    correct: int = 0
    """Snippets within an instance whose strongest class is that instance's."""
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
        """Counts one video; `present_C` are the classes that pass tau, the others are rejected."""
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
            named_T = np.where(present_C, cas_TC, -np.inf).argmax(axis=1)
            self.correct += int(truth_TC[np.arange(len(cas_TC)), named_T].sum())

    @property
    def value(self) -> float:
        """The accuracy in [0, 1]; NaN where no snippet counts."""
        return self.correct / self.total if self.total else float("nan")


def tagging_map(scores_VC: NDArray[np.floating], labels_VC: NDArray[np.floating]) -> float:
    """Returns the mean average precision of the video-level scores over the classes with labels.

    Needs no time stamp, so it can choose a checkpoint where only tags are known.
    """
    ap_C = tagging_ap(scores_VC, labels_VC)
    present_C = ~np.isnan(ap_C)
    return float(ap_C[present_C].mean()) if present_C.any() else float("nan")


def tagging_ap(
    scores_VC: NDArray[np.floating], labels_VC: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Returns the average precision of the video-level scores of each class, (C,).

    It is NaN for a class that no video shows.
    """
    order_VC = np.argsort(-scores_VC, axis=0, kind="stable")
    hit_VC = np.take_along_axis(labels_VC, order_VC, axis=0) > 0
    rank_V1 = np.arange(1, len(hit_VC) + 1)[:, None]
    precision_VC = np.cumsum(hit_VC, axis=0) / rank_V1
    shown_C = hit_VC.sum(axis=0)
    ap_C = (precision_VC * hit_VC).sum(axis=0) / np.maximum(shown_C, 1)
    return np.where(shown_C > 0, ap_C, np.nan)
