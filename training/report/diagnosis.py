"""Which errors a model makes: the false positive analysis of DETAD.

Alwassel et al., Diagnosing Error in Temporal Action Detectors, ECCV 2018. Of every class with G
instances the best 10 G predictions are looked at. One that hits is a true positive. Any other is
judged by the instance of its video, of whatever class, with which its tIoU is largest:

    largest tIoU             that instance has its class    it has another class
    at the threshold         double detection               wrong label
    at least 0.1             localization                   confusion
    below 0.1, or none       background                     background

Two things are not as in the published code. Where two instances are equally near, one of the
prediction's own class decides, not the one that the annotations name first: that matters where an
instance has two labels. And gains are in the mAP that the rest of the report shows, not in one
whose precision is normalised by the size of a class.

Axes: K tIoU thresholds, N predictions, G instances, B bands of G predictions, O outcomes,
E errors (outcomes but the first), C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from model.segments import Segment, temporal_iou
from training.metrics import RankedDetections, Videos, average_precision

BANDS = 10
"""So many times G predictions of a class with G instances are looked at."""
NEAR_TIOU = 0.1
"""A prediction with a smaller tIoU with every instance lies in the background."""


class Outcome(IntEnum):
    """What a prediction turns out to be."""

    TRUE_POSITIVE = 0
    DOUBLE_DETECTION = 1
    LOCALIZATION = 2
    CONFUSION = 3
    WRONG_LABEL = 4
    BACKGROUND = 5

    @property
    def text(self) -> str:
        """The name for people."""
        return self.name.lower().replace("_", " ")


ERRORS = tuple(Outcome)[1:]
"""All outcomes but the true positive."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """How many predictions have which outcome, and what each error costs."""

    tiou_K: tuple[float, ...]
    """The tIoU thresholds."""
    instances: int
    """Ground-truth instances of all classes."""
    count_KBO: NDArray[np.intp]
    """Predictions by outcome among the best G of each class, the second best G, ..."""
    map_K: NDArray[np.float64]
    """Mean average precision of the predictions that are looked at."""
    gain_KE: NDArray[np.float64]
    """By how much it would be larger without the predictions of one error."""

    @property
    def missed_K(self) -> NDArray[np.intp]:
        """Instances that none of the predictions finds."""
        return self.instances - self.count_KBO[:, :, Outcome.TRUE_POSITIVE].sum(axis=1)


def diagnose(
    truth: Videos, ranked: Mapping[str, RankedDetections], tiou_K: tuple[float, ...]
) -> Diagnosis:
    """Returns the outcomes of the best predictions of every class.

    Args:
        truth: the instances of every video.
        ranked: the predictions as `rank_detections` gives them for these instances.
        tiou_K: the thresholds with which it did.
    """
    looked_at = {name: _best(found) for name, found in ranked.items()}
    outcomes = _outcomes(truth, looked_at, np.asarray(tiou_K))
    count_KBO = np.zeros((len(tiou_K), BANDS, len(Outcome)), dtype=np.intp)
    for name, found in looked_at.items():
        band_N = np.arange(len(found.score_N)) // found.instances
        for k, outcome_N in enumerate(outcomes[name]):
            np.add.at(count_KBO[k], (band_N, outcome_N), 1)
    map_K, gain_KE = _gains(looked_at, outcomes)
    instances = sum(found.instances for found in looked_at.values())
    return Diagnosis(tiou_K, instances, count_KBO, map_K, gain_KE)


def _best(found: RankedDetections) -> RankedDetections:
    """Returns the predictions that are looked at; the others change no hit among them."""
    top = BANDS * found.instances
    return RankedDetections(
        found.instances,
        found.video_N[:top],
        found.times_N2[:top],
        found.score_N[:top],
        found.hit_KN[:, :top],
    )


def _outcomes(
    truth: Videos, ranked: Mapping[str, RankedDetections], tiou_K: NDArray[np.float64]
) -> dict[str, NDArray[np.intp]]:
    """Returns the outcome of every prediction of each class, (K, N)."""
    names = list(ranked)
    class_N = np.repeat(np.arange(len(names)), [len(found.score_N) for found in ranked.values()])
    video_N = np.concatenate([found.video_N for found in ranked.values()])
    times_N2 = np.concatenate([found.times_N2 for found in ranked.values()])
    hit_KN = np.concatenate([found.hit_KN for found in ranked.values()], axis=1)
    nearest_N, own_N = np.zeros(len(class_N)), np.zeros(len(class_N), dtype=bool)
    for video, rows in rows_by_video(video_N).items():  # so that memory is that of one video
        if instances := truth.get(video):
            nearest_N[rows], own_N[rows] = _nearest(times_N2[rows], class_N[rows], instances, names)
    outcome_KN = np.where(hit_KN, Outcome.TRUE_POSITIVE, _errors(nearest_N, own_N, tiou_K))
    ends = np.cumsum(np.bincount(class_N, minlength=len(names)))[:-1]
    return dict(zip(names, np.split(outcome_KN, ends, axis=1), strict=True))


def rows_by_video(video_N: NDArray[np.str_]) -> dict[str, NDArray[np.intp]]:
    """Returns the places of each video's predictions, in their order."""
    videos, row_N = np.unique(video_N, return_inverse=True)
    places = np.split(np.argsort(row_N, kind="stable"), np.cumsum(np.bincount(row_N))[:-1])
    return dict(zip(videos.tolist(), places, strict=False))  # of no video there is one empty place


def _nearest(
    times_N2: NDArray[np.float64],
    class_N: NDArray[np.intp],
    instances: Sequence[Segment],
    classes: Sequence[str],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns the largest tIoU of each prediction in a video, and whether its own class has it."""
    times_G2 = np.array([(instance.start_s, instance.end_s) for instance in instances])
    class_G = np.array([classes.index(instance.label) for instance in instances])
    tiou_NG = temporal_iou(times_N2[:, None], times_G2)
    nearest_N = tiou_NG.max(axis=1)
    own_NG = (tiou_NG == nearest_N[:, None]) & (class_N[:, None] == class_G)
    return nearest_N, own_NG.any(axis=1)


def _errors(
    nearest_N: NDArray[np.float64], own_N: NDArray[np.bool_], tiou_K: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Returns the outcome of every prediction if it does not hit, (K, N)."""
    reached_KN = nearest_N >= tiou_K[:, None]
    near_KN = np.broadcast_to(nearest_N >= NEAR_TIOU, reached_KN.shape)
    return np.select(
        [reached_KN & own_N, reached_KN, near_KN & own_N, near_KN],
        [
            Outcome.DOUBLE_DETECTION,
            Outcome.WRONG_LABEL,
            Outcome.LOCALIZATION,
            Outcome.CONFUSION,
        ],
        Outcome.BACKGROUND,
    ).astype(np.intp)


def _gains(
    ranked: Mapping[str, RankedDetections], outcomes: Mapping[str, NDArray[np.intp]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns the mAP, (K,), and what it gains without each error, (K, E)."""
    ap_CK = [average_precision(found.hit_KN, found.instances) for found in ranked.values()]
    without_CEK = [
        [
            average_precision(found.hit_KN, found.instances, outcomes[name] != error)
            for error in ERRORS
        ]
        for name, found in ranked.items()
    ]
    map_K = np.mean(ap_CK, axis=0)
    return map_K, (np.mean(without_CEK, axis=0) - map_K).T
