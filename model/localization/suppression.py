"""Non-maximum suppression (NMS) of segments that overlap a better one.

- `greedy`: takes segments best first, and drops those that overlap a taken one too much.
- `soft`: Gaussian soft-NMS (Bodla et al., 2017). It takes segments best first, and each remaining
  segment loses score by its overlap with the segment just taken.
- `fast-soft`: the same decay in one step. Each segment loses score by its overlap with all segments
  of a better original score, whether or not these lose score themselves. Fast NMS of YOLACT takes
  the same shortcut. In measurements it was as good as `soft`, and it needs no loop.
- `none`: keeps all segments.

Proposals at several thresholds are nested, so with the tIoU thresholds that are usual for images,
greedy NMS keeps many proposals of one instance. Soft-NMS needs no such threshold.

Example, with tIoU threshold 0.5 and sigma 0.5. The tIoU is 0.6 between the first and the second
segment and between the second and the third, and 0.33 between the first and the third.

    segment     [0, 4]  [1, 5]  [2, 6]  [6, 8]
    score       0.9     0.8     0.7     0.6
    greedy      0.9     -       0.7     0.6       the second is dropped, so the third is kept
    soft        0.9     0.19    0.56    0.6       the second is decayed by the first and the third
    fast-soft   0.9     0.39    0.27    0.6       the third is decayed by the first and the second

Segments that overlap pairwise form about R^2 / 2 pairs. The runs of a class have far fewer, because
each overlaps one run at most of every lower threshold. Only the "+ 1" of the released code can join
all of them, where the whole video lasts about a second. `MAX_PAIRS` bounds this case.

Axes: R segments. Segments of different groups (classes) do not influence each other.
"""

import heapq
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

Nms: TypeAlias = Literal["greedy", "soft", "fast-soft", "none"]
Floats: TypeAlias = NDArray[np.float64]
Indices: TypeAlias = NDArray[np.intp]

SOFT_NMS_FLOOR = 1e-3
"""Soft-NMS drops segments with a decayed score below this (Bodla et al., 2017)."""
MAX_PAIRS = 2**21
"""Most overlapping pairs. With more, only the best `DENSE_SEGMENTS` of each group are compared; the
others are dropped. One class of a video of two hours has about 2**17 pairs."""
DENSE_SEGMENTS = 1000
"""Segments of one group that are compared where too many overlap; at most 2**19 pairs."""


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
    """Returns the indices of the remaining segments, best first, and their scores.

    Args:
        start_R: starts in seconds.
        end_R: ends in seconds.
        score_R: scores.
        group_R: group of each segment; only segments of the same group suppress each other.
        nms: kind of NMS; see the module.
        iou: tIoU from which `greedy` drops the worse of two segments.
        sigma: width of the decay of `soft` and `fast-soft`; a smaller one decays faster.
        pixel_s: seconds added to each length and overlap before the tIoU is computed. 0 is
            correct; the released ECM code adds 1.
    """
    order = np.argsort(-score_R, kind="stable")
    score = score_R[order]
    if nms == "none" or not len(order):
        return order, score
    line = _lay_out(start_R[order], end_R[order], group_R[order], pixel_s)
    if line.partners_R.sum() > MAX_PAIRS:
        order = order[_best_of_each_group(group_R[order], DENSE_SEGMENTS)]
        score = score_R[order]
        line = _lay_out(start_R[order], end_R[order], group_R[order], pixel_s)
    better, worse, tiou = _overlaps(line, start_R[order], end_R[order], pixel_s)
    if nms == "greedy":
        conflict = tiou >= iou
        survivors = _greedy(len(order), better[conflict], worse[conflict])
        return order[survivors], score[survivors]
    if nms == "soft":
        score = _soft(score, better, worse, np.exp(-(tiou**2) / sigma))
    else:
        score = score * np.exp(-np.bincount(worse, tiou**2, len(order)) / sigma)
    ranked = np.argsort(-score, kind="stable")
    ranked = ranked[score[ranked] >= SOFT_NMS_FLOOR]
    return order[ranked], score[ranked]


class _Line(NamedTuple):
    """Segments of all groups on one line, without overlap between groups, by their start."""

    order_R: Indices
    """Index of the segment at each place of the line."""
    partners_R: Indices
    """Number of the next segments on the line that start before the segment ends."""


def _lay_out(start_R: Floats, end_R: Floats, group_R: Indices, pixel_s: float) -> _Line:
    low = start_R.min()
    stride = end_R.max() - low + 2 * pixel_s + 1
    line_R = group_R * stride + start_R - low
    order_R = np.argsort(line_R, kind="stable")
    line, reach = line_R[order_R], (line_R + (end_R - start_R) + pixel_s)[order_R]
    partners_R = np.searchsorted(line, reach, side="left") - np.arange(len(line)) - 1
    return _Line(order_R, np.maximum(partners_R, 0))


def _best_of_each_group(group_R: Indices, limit: int) -> Indices:
    """Returns the indices of the first `limit` segments of each group, ascending."""
    by_group = np.argsort(group_R, kind="stable")
    first_R = np.searchsorted(group_R[by_group], group_R[by_group], side="left")
    return np.sort(by_group[np.arange(len(by_group)) - first_R < limit])


def _overlaps(
    line: _Line, start_R: Floats, end_R: Floats, pixel_s: float
) -> tuple[Indices, Indices, Floats]:
    """Returns all overlapping pairs, the lower index first, and their tIoU.

    The partners of a segment are the next ones on the line, up to its end. In the example of the
    module, the pairs are (0, 1), (0, 2) and (1, 2), with tIoU 0.6, 0.33 and 0.6.
    """
    order_R, count_R = line
    left = np.repeat(np.arange(len(order_R)), count_R)
    right = np.arange(len(left)) - np.repeat(np.cumsum(count_R) - count_R, count_R) + left + 1
    first, second = order_R[left], order_R[right]
    earliest_end = np.minimum(end_R[first], end_R[second])
    intersection = np.maximum(earliest_end - start_R[second] + pixel_s, 0)
    length_R = end_R - start_R + pixel_s
    tiou = intersection / (length_R[first] + length_R[second] - intersection)
    return np.minimum(first, second), np.maximum(first, second), tiou


def _greedy(segments: int, better: Indices, worse: Indices) -> Indices:
    """Returns the segments that greedy NMS keeps, given the pairs in conflict, best first.

    The result is that of the loop over single segments, but in a few rounds. Each round keeps all
    segments without conflict with a better survivor, and drops all segments in conflict with them.
    With the conflicts (0, 1) and (1, 2), the first round keeps 0 and drops 1; after that nothing is
    in conflict with 2.
    """
    survives = np.ones(segments, dtype=bool)
    while len(worse):
        blocked = np.zeros(segments, dtype=bool)
        blocked[worse] = True
        dropped = worse[~blocked[better]]
        survives[dropped] = False
        alive = survives[better] & survives[worse] & blocked[better]
        better, worse = better[alive], worse[alive]
    return np.flatnonzero(survives)


def _soft(score_R: Floats, better: Indices, worse: Indices, decay: Floats) -> Floats:
    """Returns the decayed scores of Gaussian soft-NMS; scores below the floor are 0.

    The score of a segment is multiplied by the decay of each pair with a segment taken before it.
    The queue may hold a score from before a decay; such a segment returns to the queue.
    """
    one, other = np.concatenate([better, worse]), np.concatenate([worse, better])
    by_one = np.argsort(one, kind="stable")
    other, both = other[by_one], np.concatenate([decay, decay])[by_one]
    bounds = np.searchsorted(one[by_one], np.arange(len(score_R) + 1))
    open_R, final_R = score_R.copy(), np.zeros_like(score_R)
    queue = list(zip((-score_R).tolist(), range(len(score_R)), strict=True))
    heapq.heapify(queue)
    while queue and -queue[0][0] >= SOFT_NMS_FLOOR:
        negative, best = heapq.heappop(queue)
        if open_R[best] < -negative:
            heapq.heappush(queue, (-float(open_R[best]), best))
            continue
        final_R[best], open_R[best] = open_R[best], -np.inf
        neighbours = slice(bounds[best], bounds[best + 1])
        open_R[other[neighbours]] *= both[neighbours]
    return final_R
