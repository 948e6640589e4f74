"""From the class activation sequence (CAS) of a video to its action segments.

    CAS logits (T, C) -> class scores (C,) -> reject absent classes -> scale each class, over its
    time or to probabilities -> threshold at many levels -> runs above a level are proposals ->
    score each by its outer-inner contrast -> suppress what overlaps a better one -> segments

Paper, section 3.5; BaS-Net; AutoLoc for the outer-inner contrast. Two protocols:

- `corrected`, the default: a run starts and ends exactly where the line between two snippets
  crosses the threshold, the outer window is symmetric, the tIoU is a true one.
- `released`: what the published ECM numbers were made with. The CAS is interpolated to the
  frames and runs end at frames; outside a run, what lies below its own threshold counts as 0;
  the right outer window is one frame short; overlaps and lengths in NMS are taken "+ 1", a habit
  from pixels, although they are seconds. With thresholds below 0.2, as it has them, counting 0
  changes little; with high ones every narrow peak would have an empty outside and win.

Axes: T snippets, C classes, P classes present, N points in time, K thresholds, R runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError
from model.runs import contrast, find_runs, released_contrast
from model.segments import Segment
from model.snippets import SNIPPET_FRAMES, resample
from model.suppression import Nms, suppress

LocalizationProtocol: TypeAlias = Literal["corrected", "released"]
Activation: TypeAlias = Literal["softmax", "sigmoid"]
CasScale: TypeAlias = Literal["video", "probability"]
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LocalizationConfig:
    """How segments are read off a class activation sequence."""

    protocol: LocalizationProtocol = "corrected"
    """`corrected` or `released`; see the module."""
    cas_scale: CasScale = "video"
    """What is compared with the thresholds: logits stretched to 0 to 1 over each `video`, or their
    sigmoid, a `probability` that means the same in every video, for networks that learned it."""
    class_threshold: float = 0.25
    """tau: classes whose score is lower are absent."""
    cas_threshold_min: float = 0.05
    """Lowest threshold on the normalised CAS."""
    cas_threshold_max: float = 0.95
    """The thresholds end before this one."""
    cas_threshold_step: float = 0.05
    """From one threshold to the next."""
    outer_ratio: float = 0.4
    """lambda: length of each outer window over the segment's."""
    class_score_weight: float = 0.15
    """gamma: weight of the class score in a segment's score."""
    nms: Nms = "fast-soft"
    """`greedy`, `soft`, `fast-soft` or `none`; see model/suppression.py."""
    nms_iou: float = 0.6
    """`greedy` drops a segment whose tIoU with a better one reaches this."""
    soft_nms_sigma: float = 0.5
    """`soft` and `fast-soft` multiply a score by exp(-tIoU^2 / sigma) for each better segment."""
    min_score: float | None = None
    """Segments below it are left out; None keeps all."""
    max_segments: int | None = None
    """Only so many of the best are kept; None keeps all."""

    def __post_init__(self) -> None:
        for name in ("class_threshold", "nms_iou"):
            if not 0 <= getattr(self, name) <= 1:
                raise OptionError(f"{name} must lie in [0, 1], not {getattr(self, name)}")
        if not self.cas_threshold_step > 0:
            raise OptionError(f"cas_threshold_step must be above 0, not {self.cas_threshold_step}")
        if not 0 <= self.cas_threshold_min < self.cas_threshold_max:
            raise OptionError(
                "cas_threshold_min must lie in [0, cas_threshold_max), not "
                f"{self.cas_threshold_min} with cas_threshold_max {self.cas_threshold_max}"
            )
        if not (self.outer_ratio >= 0 and self.soft_nms_sigma > 0):
            raise OptionError(
                "outer_ratio must be at least 0 and soft_nms_sigma above 0, not "
                f"{self.outer_ratio} and {self.soft_nms_sigma}"
            )
        if self.max_segments is not None and self.max_segments < 0:
            raise OptionError(f"max_segments must be at least 0, not {self.max_segments}")

    @property
    def cas_thresholds_K(self) -> NDArray[np.float32]:
        """The thresholds, ascending; 0 stands for "more than 0"."""
        thresholds_K = np.arange(
            self.cas_threshold_min, self.cas_threshold_max, self.cas_threshold_step
        )
        return np.maximum(thresholds_K, np.finfo(np.float32).tiny).astype(np.float32)


def class_scores(
    cas_TC: NDArray[np.float32],
    topk_ratio: float,
    scale: float = 1.0,
    activation: Activation = "softmax",
) -> Floats:
    """Returns the video's probability of each class, (C,).

    The activation of `scale` times the top-k means; paper, section 3.1. `softmax` shares one
    among the classes; `sigmoid` judges each class by itself, so a video may show none.
    """
    return activate(scale * topk_mean(cas_TC, topk_ratio), activation)


def topk_mean(cas_TC: NDArray[np.float32], ratio: float) -> Floats:
    """Returns the mean of each class's k = int(T * ratio) largest logits (at least one), (C,)."""
    k = max(1, int(len(cas_TC) * ratio))
    cas_CT = np.array(cas_TC.T, order="C")  # a partition along contiguous rows is twice as fast
    cas_CT.partition(len(cas_TC) - k, axis=1)
    return cas_CT[:, -k:].mean(axis=1, dtype=np.float64)


def activate(logits_C: Floats, activation: Activation) -> Floats:
    """Returns probabilities, `softmax` over the last axis or `sigmoid` of each logit."""
    if activation == "sigmoid":
        return 0.5 * (1 + np.tanh(0.5 * logits_C))
    exponents_C = np.exp(logits_C - logits_C.max(axis=-1, keepdims=True))
    return exponents_C / exponents_C.sum(axis=-1, keepdims=True)


def localize(
    cas_TC: NDArray[np.float32],
    class_scores_C: NDArray[np.floating],
    *,
    labels: Sequence[str],
    duration_s: float,
    config: LocalizationConfig,
    frames: int | None = None,
) -> list[Segment]:
    """Returns the segments of one video, best first; empty where no class passes tau.

    Args:
        cas_TC: logits, not normalised.
        class_scores_C: the video's probability of each class, as `class_scores` gives it.
        labels: the name of each class.
        duration_s: how long the T snippets last together.
        config: the protocol and its settings.
        frames: the video's number of frames, which protocol `released` interpolates to;
            16 a snippet if not given.
    """
    released = config.protocol == "released"
    present_P = np.flatnonzero(np.asarray(class_scores_C) >= config.class_threshold)
    cas_NP = scale_cas(np.asarray(cas_TC, dtype=np.float32)[:, present_P], config.cas_scale)
    if released:
        cas_NP = resample(cas_NP, frames or len(cas_TC) * SNIPPET_FRAMES)
    runs = find_runs(np.ascontiguousarray(cas_NP.T), config.cas_thresholds_K, exact=not released)
    contrast_R = (released_contrast if released else contrast)(runs, config.outer_ratio)
    score_R = contrast_R + config.class_score_weight * class_scores_C[present_P[runs.row_R]]
    point_s = duration_s / len(cas_NP)
    start_R, end_R = runs.start_R * point_s, runs.end_R * point_s
    kept, score = suppress(
        start_R,
        end_R,
        score_R,
        group_R=runs.row_R,
        nms=config.nms,
        iou=config.nms_iou,
        sigma=config.soft_nms_sigma,
        pixel_s=1.0 if released else 0.0,
    )
    if config.min_score is not None:
        kept, score = kept[score >= config.min_score], score[score >= config.min_score]
    kept, score = kept[: config.max_segments], score[: config.max_segments]
    names = [labels[class_] for class_ in present_P[runs.row_R[kept]].tolist()]
    rows = zip(start_R[kept].tolist(), end_R[kept].tolist(), names, score.tolist(), strict=True)
    return list(map(Segment._make, rows))


def scale_cas(cas_TC: NDArray[np.float32], scale: CasScale) -> NDArray[np.float32]:
    """Returns what is compared with the thresholds: `normalise`d over the video, or the sigmoid."""
    if scale == "probability":
        return activate(cas_TC.astype(np.float64), "sigmoid").astype(np.float32)
    return normalise(cas_TC)


def normalise(cas_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the CAS with each class's largest logit at 1 and its smallest, or 0, at 0.

    Logits below 0 count as background: where the smallest is negative it stays below 0. A class
    without any logit above 0 has nothing to show and comes out without a value above 0.
    """
    low_C = np.maximum(cas_TC.min(axis=0), 0)
    extent_C = np.maximum(cas_TC.max(axis=0), 0) - low_C
    return (cas_TC - low_C) / np.where(extent_C > 0, extent_C, np.float32(1))
