"""Non-maximum suppression (NMS): of segments that overlap, the best one stays or weighs most.

- `greedy`: best first; what overlaps a kept one too much is dropped.
- `soft`: Gaussian soft-NMS (Bodla et al., 2017). Best first; every segment that is left loses
  score by its overlap with the one just taken.
- `fast-soft`: the same decay in one step: every segment loses score by its overlap with all that
  had a better score to begin with, whether or not they lost some themselves (the shortcut that
  YOLACT's Fast NMS takes). As good as `soft` where it was measured, without its loop.
- `none`: all stay.

Proposals at several thresholds lie within each other, so a tIoU threshold as high as images need
keeps many of one instance. Soft-NMS needs no such threshold.

Axes: R segments. Groups (classes) never touch each other.
"""

from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Nms: TypeAlias = Literal["greedy", "soft", "fast-soft", "none"]
Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]

SOFT_NMS_FLOOR = 1e-3
"""Soft-NMS drops segments whose score has decayed below this (Bodla et al., 2017)."""


def suppress(
    start_R: Floats,
    end_R: Floats,
    score_R: Floats,
    *,
    group_R: Indices,
    nms: Nms,
    iou: float,
    sigma: float,
    pixel_s: float = 0.0,
) -> tuple[Indices, Floats]:
    """Returns the indices that stay, best first, and their scores.

    Args:
        start_R: starts in seconds.
        end_R: ends in seconds.
        score_R: scores.
        group_R: segments of different groups do not suppress each other.
        nms: which kind; see the module.
        iou: tIoU from which `greedy` drops the worse of two.
        sigma: the smaller, the faster `soft` and `fast-soft` decay.
        pixel_s: added to every length and overlap before the tIoU is taken; 0 is right, 1 is
            what the released ECM code does.
    """
    order = np.argsort(-score_R, kind="stable")
    score = score_R[order]
    if nms == "none" or not len(order):
        return order, score
    better, worse, tiou = _overlaps(start_R[order], end_R[order], group_R[order], pixel_s)
    if nms == "greedy":
        conflict = tiou >= iou
        kept = _greedy(len(order), better[conflict], worse[conflict])
        return order[kept], score[kept]
    if nms == "soft":
        score = _soft(score, better, worse, np.exp(-(tiou**2) / sigma))
    else:
        score = score * np.exp(-np.bincount(worse, tiou**2, len(order)) / sigma)
    ranked = np.argsort(-score, kind="stable")
    ranked = ranked[score[ranked] >= SOFT_NMS_FLOOR]
    return order[ranked], score[ranked]


def _overlaps(
    start_R: Floats, end_R: Floats, group_R: Indices, pixel_s: float
) -> tuple[Indices, Indices, Floats]:
    """Returns every pair that overlaps, the lower index first, and its tIoU."""
    low = start_R.min()
    stride = end_R.max() - low + 2 * pixel_s + 1
    line_R = group_R * stride + start_R - low
    by_line = np.argsort(line_R, kind="stable")
    line, reach = line_R[by_line], (line_R + (end_R - start_R) + pixel_s)[by_line]
    own = np.arange(len(line))
    count = np.maximum(np.searchsorted(line, reach, side="left") - own - 1, 0)
    left = np.repeat(own, count)
    right = np.arange(len(left)) - np.repeat(np.cumsum(count) - count, count) + left + 1
    first, second = by_line[left], by_line[right]
    earliest_end = np.minimum(end_R[first], end_R[second])
    intersection = np.maximum(earliest_end - start_R[second] + pixel_s, 0)
    length_R = end_R - start_R + pixel_s
    tiou = intersection / (length_R[first] + length_R[second] - intersection)
    return np.minimum(first, second), np.maximum(first, second), tiou


def _greedy(segments: int, better: Indices, worse: Indices) -> Indices:
    """Returns what greedy NMS keeps of segments sorted best first, given the pairs in conflict.

    Works in rounds instead of one segment at a time: whoever conflicts with no better survivor
    is kept, and all that conflict with the kept are dropped. The result is that of the greedy
    loop; the rounds are few.
    """
    kept = np.ones(segments, dtype=bool)
    while len(worse):
        blocked = np.zeros(segments, dtype=bool)
        blocked[worse] = True
        dropped = worse[~blocked[better]]
        kept[dropped] = False
        alive = kept[better] & kept[worse] & blocked[better]
        better, worse = better[alive], worse[alive]
    return np.flatnonzero(kept)


def _soft(score_R: Floats, better: Indices, worse: Indices, decay: Floats) -> Floats:
    """Returns the decayed scores of Gaussian soft-NMS; those not reached before the floor are 0.

    Each segment is multiplied by the decay of every pair with one that was taken before it.
    """
    one, other = np.concatenate([better, worse]), np.concatenate([worse, better])
    by_one = np.argsort(one, kind="stable")
    other, both = other[by_one], np.concatenate([decay, decay])[by_one]
    bounds = np.searchsorted(one[by_one], np.arange(len(score_R) + 1))
    open_R, final_R = score_R.copy(), np.zeros_like(score_R)
    for _ in range(len(score_R)):
        best = int(open_R.argmax())
        if open_R[best] < SOFT_NMS_FLOOR:
            break
        final_R[best], open_R[best] = open_R[best], -np.inf
        neighbours = slice(bounds[best], bounds[best + 1])
        open_R[other[neighbours]] *= both[neighbours]
    return final_R
