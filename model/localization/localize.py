"""Localization: from the class activation sequence (CAS) of a video to its action segments.

    CAS logits (T, C) -> class scores (C,) -> reject absent classes -> scale the CAS -> threshold
    it at many levels -> each run above a level is a proposal -> score it by its outer-inner
    contrast -> suppress proposals that overlap a better one -> segments

Sources: section 3.5 of the paper, BaS-Net, and AutoLoc for the outer-inner contrast.

There are two protocols. `corrected` is the default:

- A run starts and ends exactly where the line between two snippets crosses the threshold.
- The outer windows on both sides have the same length.
- NMS uses the true tIoU.

`released` is the protocol of the published ECM numbers:

- The CAS is interpolated to frames, and runs start and end at frames.
- Outside a run, values below the threshold of the run count as 0.
- The right outer window is one frame short.
- NMS adds 1 to lengths and overlaps, as if seconds were pixels.

Counting values as 0 changes little with the thresholds of that protocol, which are below 0.2. With
high thresholds, every narrow peak would have an empty outside and win.

Classes are localized in blocks, because a long video with many classes has millions of runs.

Axes: T snippets, C classes, P classes of a block, N points in time, K thresholds, R runs.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError
from model.localization.runs import contrast, find_runs, released_contrast
from model.localization.suppression import Nms, suppress
from model.segments import Segment
from model.snippets import SNIPPET_FRAMES, resample
from model.validation import check_ranges

LocalizationProtocol: TypeAlias = Literal["corrected", "released"]
Activation: TypeAlias = Literal["softmax", "sigmoid"]
CasScale: TypeAlias = Literal["video", "probability"]
Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]

MAX_THRESHOLDS = 1000
"""Most thresholds on the scaled CAS; published settings have 8, and the default has 18."""
BLOCK_POINTS = 2**15
"""Most points of the classes that are localized at once; their arrays fit the CPU's cache."""


@dataclass(frozen=True, slots=True)
class LocalizationConfig:
    """Options of localization."""

    protocol: LocalizationProtocol = "corrected"
    """`corrected`, or `released` for the published numbers; see model/localization/localize.py."""
    cas_scale: CasScale = "video"
    """Scale of the CAS for the thresholds. `video` scales the logits of each class to 0 to 1 over
    the video. `probability` is their sigmoid, which is comparable between videos, for networks that
    were trained for it."""
    class_threshold: float = 0.25
    """Threshold tau on class scores; classes below it are rejected."""
    cas_threshold_min: float = 0.05
    """Lowest threshold on the scaled CAS."""
    cas_threshold_max: float = 0.95
    """Upper end of the thresholds on the scaled CAS, exclusive."""
    cas_threshold_step: float = 0.05
    """Distance between two thresholds on the scaled CAS."""
    outer_ratio: float = 0.4
    """Ratio lambda of the length of each outer window to the length of the segment."""
    class_score_weight: float = 0.15
    """Weight gamma of the class score in the score of a segment."""
    nms: Nms = "fast-soft"
    """Kind of NMS: `greedy`, `soft`, `fast-soft` or `none`; see suppression.py."""
    nms_iou: float = 0.6
    """tIoU with a better segment from which `greedy` drops a segment."""
    soft_nms_sigma: float = 0.5
    """Sigma of `soft` and `fast-soft`; each better segment multiplies a score by
    exp(-tIoU^2 / sigma)."""
    min_score: float | None = None
    """Lowest score of a segment; None keeps all segments. Scores are about 0 to 1."""
    max_segments: int | None = None
    """Largest number of segments, the best ones; None keeps all segments."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            class_threshold="[0, 1]",
            cas_threshold_min="[0, 1]",
            cas_threshold_max="(0, 10]",
            cas_threshold_step="(0, 10]",
            outer_ratio="[0, 100]",
            class_score_weight="[0, 100]",
            nms_iou="[0, 1]",
            soft_nms_sigma="(0, 1000]",
            min_score="[-100, 2]",
            max_segments="[0, inf)",
        )
        span = self.cas_threshold_max - self.cas_threshold_min
        if not 0 < span <= MAX_THRESHOLDS * self.cas_threshold_step:
            raise OptionError(
                "expected cas_threshold_min below cas_threshold_max, and a cas_threshold_step of "
                f"at most {MAX_THRESHOLDS} steps between them, not {self.cas_threshold_min}, "
                f"{self.cas_threshold_max} and {self.cas_threshold_step}"
            )

    @property
    def cas_thresholds_K(self) -> NDArray[np.float32]:
        """The thresholds, ascending; the threshold 0 selects values above 0."""
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
    """Returns the probability that the video shows each class, (C,).

    This is the activation of `scale` times the top-k means (paper, section 3.1). With `softmax`
    the probabilities sum to 1. With `sigmoid` they are independent, so a video may show no class.
    """
    return activate(scale * topk_mean(cas_TC, topk_ratio), activation)


def topk_mean(cas_TC: NDArray[np.float32], ratio: float) -> Floats:
    """Returns the mean of the k = int(T * ratio), at least 1, largest logits of each class, (C,).

    With ratio 0.5, logits 1, 4, 2, 3 have the mean 3.5 of the 2 largest.
    """
    k = max(1, int(len(cas_TC) * ratio))
    cas_CT = np.array(cas_TC.T, order="C")  # a partition along contiguous rows is twice as fast
    cas_CT.partition(len(cas_TC) - k, axis=1)
    return cas_CT[:, -k:].mean(axis=1, dtype=np.float64)


def activate(logits_C: Floats, activation: Activation) -> Floats:
    """Returns probabilities: `softmax` over the last axis, or `sigmoid` of each logit."""
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
    check: Callable[[], None] = lambda: None,
) -> list[Segment]:
    """Returns the segments of one video, best first; none if all classes are rejected.

    Args:
        cas_TC: logits, not normalised.
        class_scores_C: the probability of each class in the video; see `class_scores`.
        labels: the name of each class.
        duration_s: duration of the T snippets together.
        config: options.
        frames: number of frames to which protocol `released` interpolates; 16 for each snippet
            if not given.
        check: called before each block of classes; an error that it raises ends the localization.
    """
    cas_TC, scores_C = np.asarray(cas_TC, dtype=np.float32), np.asarray(class_scores_C, np.float64)
    present = np.flatnonzero(scores_C >= config.class_threshold)
    found = []
    for class_P in _blocks(present, len(cas_TC), config.protocol):
        check()
        block = cas_TC[:, class_P], class_P, scores_C[class_P]
        found.append(_localize_block(*block, duration_s, config, frames))
    if not found:
        return []
    best = _Found.joined(found).best(config.max_segments)
    names = [labels[class_] for class_ in best.class_R.tolist()]
    times = best.start_R.tolist(), best.end_R.tolist()
    rows = zip(*times, names, best.score_R.tolist(), strict=True)
    return list(map(Segment._make, rows))


class _Found(NamedTuple):
    """Segments of several classes."""

    class_R: Indices
    """Index of the class."""
    start_R: Floats
    """Start in seconds."""
    end_R: Floats
    """End in seconds."""
    score_R: Floats
    """Score after NMS."""

    @classmethod
    def joined(cls, blocks: Sequence["_Found"]) -> "_Found":
        """Returns the segments of all blocks."""
        return cls(
            np.concatenate([block.class_R for block in blocks]),
            np.concatenate([block.start_R for block in blocks]),
            np.concatenate([block.end_R for block in blocks]),
            np.concatenate([block.score_R for block in blocks]),
        )

    def best(self, limit: int | None) -> "_Found":
        """Returns the best segments, best first; all of them if there is no limit."""
        best = np.argsort(-self.score_R, kind="stable")[:limit]
        return _Found(self.class_R[best], self.start_R[best], self.end_R[best], self.score_R[best])


def _blocks(present: Indices, snippets: int, protocol: LocalizationProtocol) -> Iterator[Indices]:
    """Yields the classes present in blocks, with one class in each for protocol `released`.

    That protocol has many points for each snippet, and its NMS may compare all runs of a class.
    """
    size = 1 if protocol == "released" else max(1, BLOCK_POINTS // snippets)
    for first in range(0, len(present), size):
        yield present[first : first + size]


def _localize_block(
    cas_TP: NDArray[np.float32],
    class_P: Indices,
    scores_P: Floats,
    duration_s: float,
    config: LocalizationConfig,
    frames: int | None,
) -> _Found:
    """Returns the segments of a block of classes, at most `max_segments` of them, best first."""
    released = config.protocol == "released"
    cas_NP = scale_cas(cas_TP, config.cas_scale)
    if released:
        cas_NP = resample(cas_NP, frames or len(cas_TP) * SNIPPET_FRAMES)
    runs = find_runs(np.ascontiguousarray(cas_NP.T), config.cas_thresholds_K, exact=not released)
    contrast_R = (released_contrast if released else contrast)(runs, config.outer_ratio)
    score_R = contrast_R + config.class_score_weight * scores_P[runs.row_R]
    point_s = duration_s / len(cas_NP)
    start_R, end_R = runs.start_R * point_s, runs.end_R * point_s
    # A single point that just reaches a threshold has no length, and is no segment.
    lasts = np.flatnonzero(end_R > start_R)
    survivors, final_R = suppress(
        start_R[lasts],
        end_R[lasts],
        score_R[lasts],
        group_R=runs.row_R[lasts],
        nms=config.nms,
        iou=config.nms_iou,
        sigma=config.soft_nms_sigma,
        pixel_s=1.0 if released else 0.0,
    )
    if config.min_score is not None:
        survivors, final_R = survivors[(good := final_R >= config.min_score)], final_R[good]
    kept = lasts[survivors][: config.max_segments]
    class_R = class_P[runs.row_R[kept]]
    return _Found(class_R, start_R[kept], end_R[kept], final_R[: config.max_segments])


def scale_cas(cas_TC: NDArray[np.float32], scale: CasScale) -> NDArray[np.float32]:
    """Returns the CAS on the scale of the thresholds: normalised over the video, or its sigmoid."""
    if scale == "probability":
        return activate(cas_TC.astype(np.float64), "sigmoid").astype(np.float32)
    return normalise(cas_TC)


def normalise(cas_TC: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns the CAS of each class, scaled so that its largest logit becomes 1.

    The smallest logit becomes 0 if it is not negative. Otherwise the logit 0 stays 0, and negative
    logits, which are background, stay negative. A class without a positive logit has no positive
    value in the result. Logits 1, 3, 2, 5 become 0, 0.5, 0.25, 1; logits -2, 0, 1, 4 become -0.5,
    0, 0.25, 1.
    """
    low_C = np.maximum(cas_TC.min(axis=0), 0)
    extent_C = np.maximum(cas_TC.max(axis=0), 0) - low_C
    return (cas_TC - low_C) / np.where(extent_C > 0, extent_C, np.float32(1))
