"""Types of errors that a model makes: the false positive analysis of DETAD.

Alwassel et al., Diagnosing Error in Temporal Action Detectors, ECCV 2018. The analysis covers the
best 10 G predictions of each class with G instances. A prediction that hits is a true positive. The
type of any other prediction depends on its nearest instance, the one with the largest tIoU among
all instances of its video, whatever their class:

    largest tIoU             nearest instance has its class    nearest instance has another class
    at least the threshold   double detection                  wrong label
    at least 0.1             localization                      confusion
    below 0.1, or none       background                        background

There are two differences from the published code. If several instances are equally near, an
instance of the prediction's own class takes precedence; in the published code it is the first one
in the annotations. This matters where an instance has two labels. And gains are in the mAP of the
rest of the report; in the published code, precision is normalised by the size of a class.

Axes: K tIoU thresholds, N predictions, G instances, B bands of G predictions, O outcomes,
E errors (all outcomes but the first), C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from model.segments import Segment, temporal_iou
from training.measurement.metrics import RankedDetections, Videos, average_precision

BANDS = 10
"""Number of bands; the analysis covers the best BANDS * G predictions of a class."""
NEAR_TIOU = 0.1
"""A prediction whose tIoU is below this for every instance is a background error."""


class Outcome(IntEnum):
    """Outcome of one prediction: a true positive or a type of error."""

    TRUE_POSITIVE = 0
    DOUBLE_DETECTION = 1
    LOCALIZATION = 2
    CONFUSION = 3
    WRONG_LABEL = 4
    BACKGROUND = 5

    @property
    def text(self) -> str:
        """Readable name, such as `wrong label`."""
        return self.name.lower().replace("_", " ")


ERRORS = tuple(Outcome)[1:]
"""All outcomes except the true positive."""


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Number of predictions with each outcome, and the mAP that each type of error costs."""

    tiou_K: tuple[float, ...]
    """tIoU thresholds of the analysis."""
    instances: int
    """Number of ground-truth instances of all classes."""
    count_KBO: NDArray[np.intp]
    """Number of predictions with each outcome; band 0 has the best G of each class, and so on."""
    map_K: NDArray[np.float64]
    """Mean average precision of the analysed predictions."""
    gain_KE: NDArray[np.float64]
    """Increase of `map_K` if all predictions with one type of error were removed."""

    @property
    def missed_K(self) -> NDArray[np.intp]:
        """Number of instances that none of the analysed predictions hits."""
        return self.instances - self.count_KBO[:, :, Outcome.TRUE_POSITIVE].sum(axis=1)


def diagnose(
    truth: Videos, ranked: Mapping[str, RankedDetections], tiou_K: tuple[float, ...]
) -> Diagnosis:
    """Returns the outcomes of the best predictions of each class.

    Args:
        truth: the instances of every video.
        ranked: the predictions, as `rank_detections` returns them for these instances.
        tiou_K: the thresholds that were passed to `rank_detections`.
    """
    best = {label: _best(of_class) for label, of_class in ranked.items()}
    outcomes = _outcomes(truth, best, np.asarray(tiou_K))
    count_KBO = np.zeros((len(tiou_K), BANDS, len(Outcome)), dtype=np.intp)
    for label, of_class in best.items():
        band_N = np.arange(len(of_class.score_N)) // of_class.instances
        for k, outcome_N in enumerate(outcomes[label]):
            np.add.at(count_KBO[k], (band_N, outcome_N), 1)
    map_K, gain_KE = _gains(best, outcomes)
    instances = sum(of_class.instances for of_class in best.values())
    return Diagnosis(tiou_K, instances, count_KBO, map_K, gain_KE)


def _best(ranked: RankedDetections) -> RankedDetections:
    """Returns the analysed predictions; their hits do not depend on predictions with less score."""
    top = BANDS * ranked.instances
    return RankedDetections(
        ranked.instances,
        ranked.video_N[:top],
        ranked.times_N2[:top],
        ranked.score_N[:top],
        ranked.hit_KN[:, :top],
    )


def _outcomes(
    truth: Videos, ranked: Mapping[str, RankedDetections], tiou_K: NDArray[np.float64]
) -> dict[str, NDArray[np.intp]]:
    """Returns the outcome of every prediction of each class, (K, N)."""
    labels = list(ranked)
    class_N = np.repeat(np.arange(len(labels)), [len(r.score_N) for r in ranked.values()])
    video_N = np.concatenate([r.video_N for r in ranked.values()])
    times_N2 = np.concatenate([r.times_N2 for r in ranked.values()])
    hit_KN = np.concatenate([r.hit_KN for r in ranked.values()], axis=1)
    tiou_N, own_N = np.zeros(len(class_N)), np.zeros(len(class_N), dtype=bool)
    for video, rows in rows_by_video(video_N).items():  # one video at a time, to bound the memory
        if instances := truth.get(video):
            tiou_N[rows], own_N[rows] = _nearest(times_N2[rows], class_N[rows], instances, labels)
    outcome_KN = np.where(hit_KN, Outcome.TRUE_POSITIVE, _errors(tiou_N, own_N, tiou_K))
    ends = np.cumsum(np.bincount(class_N, minlength=len(labels)))[:-1]
    return dict(zip(labels, np.split(outcome_KN, ends, axis=1), strict=True))


def rows_by_video(video_N: NDArray[np.str_]) -> dict[str, NDArray[np.intp]]:
    """Returns the indices of each video's predictions, in ascending order."""
    # Example: the videos y, x, y, x give {"x": [1, 3], "y": [0, 2]}.
    videos, group_N = np.unique(video_N, return_inverse=True)
    indices = np.split(np.argsort(group_N, kind="stable"), np.cumsum(np.bincount(group_N))[:-1])
    return dict(zip(videos.tolist(), indices, strict=False))  # no video: np.split gives one array


def _nearest(
    times_N2: NDArray[np.float64],
    class_N: NDArray[np.intp],
    instances: Sequence[Segment],
    classes: Sequence[str],
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Returns the largest tIoU of each prediction, and whether an instance of its class has it."""
    times_G2 = np.array([(instance.start_s, instance.end_s) for instance in instances])
    class_G = np.array([classes.index(instance.label) for instance in instances])
    tiou_NG = temporal_iou(times_N2[:, None], times_G2)
    largest_N = tiou_NG.max(axis=1)
    own_NG = (tiou_NG == largest_N[:, None]) & (class_N[:, None] == class_G)
    return largest_N, own_NG.any(axis=1)


def _errors(
    tiou_N: NDArray[np.float64], own_N: NDArray[np.bool_], tiou_K: NDArray[np.float64]
) -> NDArray[np.intp]:
    """Returns the type of error of every prediction, should it be one, (K, N)."""
    # Example with one threshold of 0.5:
    #   tiou_N   0.6                 0.6           0.3            0.05
    #   own_N    True                False         True           True
    #   result   DOUBLE_DETECTION    WRONG_LABEL   LOCALIZATION   BACKGROUND
    reached_KN = tiou_N >= tiou_K[:, None]
    near_KN = np.broadcast_to(tiou_N >= NEAR_TIOU, reached_KN.shape)
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
    """Returns the mAP, (K,), and its increase without each type of error, (K, E)."""
    # Example: one class with one instance; of three predictions the first has the wrong place,
    # the second is background, the third hits. The AP is 1/3, and 1/2 without either error, so
    # the gain of both is 1/2 - 1/3 and that of all other errors is 0.
    ap_CK = [average_precision(r.hit_KN, r.instances) for r in ranked.values()]
    without_CEK = [
        [average_precision(r.hit_KN, r.instances, outcomes[label] != error) for error in ERRORS]
        for label, r in ranked.items()
    ]
    map_K = np.mean(ap_CK, axis=0)
    return map_K, (np.mean(without_CEK, axis=0) - map_K).T
