"""The `motion` extractor: what moves where, as histograms; OpenCV and numpy, no weights.

For each pair of frames, and in each cell of a grid over the picture: histograms of the flow's
directions (HOF), of the edges of its two components, which a moving camera leaves alone (MBH), of
the picture's edges (HOG), and how fast how much of the cell moves. A snippet's row is the mean and
the deviation over its pairs, of square roots, so that fast motion does not outweigh all else.
Pairs that a cut separates do not count: what lies between two shots is no motion.

HOF and MBH: Dalal, Triggs and Schmid, 2006; grid and square root: Wang et al., 2013.

Axes: F frames, P pairs of neighbours, H height, W width, C the channels red, green and blue, X the
components along x and y, R and S rows and columns of cells, N numbers that describe a cell,
D feature channels.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from model.flow import DenseFlow, to_grey

Floats: TypeAlias = NDArray[np.float32]

GRID = 4
"""Rows and columns of cells."""
ORIENTATIONS = 8
"""Directions that a histogram tells apart."""
SPEEDS_PX = (0.4, 1.0, 2.0, 4.0)
"""Pixels a frame; of each, the share of a cell that is faster is taken."""


class MotionExtractor:
    """Describes each snippet of 16 frames at 25 a second by what moves where; see the module."""

    id = "motion-1"
    sha256 = None
    rate_fps = 25.0
    snippet_frames = 16
    short_side = 128
    feature_dim = 2 * GRID * GRID * (4 * ORIENTATIONS + 2 + len(SPEEDS_PX))

    def __init__(self, *, threads: int = 1) -> None:
        """Prepares the flow, several pairs of which may be computed at the same time."""
        self._flow = DenseFlow("dis", threads=threads)

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[Floats]:
        """Gives the row (D,) of each snippet, (17, H, W, 3)."""
        return map(self._row, snippets)

    def _row(self, frames_FHWC: NDArray[np.uint8]) -> Floats:
        grey_FHW = to_grey(frames_FHWC)
        flow_PHWX = self._flow(grey_FHW)[:, ::2, ::2]  # DIS itself computes at a quarter's size
        counts_P = ~cuts(grey_FHW)
        picture_FHW = np.asarray(grey_FHW[:-1:_EDGES_STEP] / 255, np.float32)
        described_PRSN = {
            "flow": direction_histograms(flow_PHWX)[counts_P],
            "boundary x": direction_histograms(gradients(flow_PHWX[..., 0]))[counts_P],
            "boundary y": direction_histograms(gradients(flow_PHWX[..., 1]))[counts_P],
            "speed": speeds(flow_PHWX)[counts_P],
            "edges": direction_histograms(gradients(picture_FHW)),
        }
        return np.concatenate([_statistics(*named) for named in described_PRSN.items()])


def cuts(grey_FHW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tells which pairs of frames belong to different shots, (F - 1,); half of them at most.

    There the picture changes much, and several times as much as between most other frames.
    """
    change_P = np.array([cv2.absdiff(*pair).mean() / 255 for pair in pairwise(grey_FHW)])
    return (change_P > _CUT_CHANGE) & (change_P > _CUT_RATIO * np.median(change_P))


def gradients(field_FHW: Floats) -> Floats:
    """Returns the central differences of a field along x and y, (F, H, W, 2); 0 at the border."""
    gradients_FHWX = np.zeros((*field_FHW.shape, 2), np.float32)
    gradients_FHWX[:, :, 1:-1, 0] = (field_FHW[:, :, 2:] - field_FHW[:, :, :-2]) / 2
    gradients_FHWX[:, 1:-1, :, 1] = (field_FHW[:, 2:] - field_FHW[:, :-2]) / 2
    return gradients_FHWX


def direction_histograms(vectors_FHWX: Floats) -> Floats:
    """Returns how much of each cell points in which direction, (F, R, S, ORIENTATIONS).

    A vector counts with its length, divided between the two directions that are next to it;
    direction 0 is to the right, and they go on downwards. The mean over the cell's pixels.
    """
    frames, height, width, _ = vectors_FHWX.shape
    x, y = (np.ascontiguousarray(vectors_FHWX[..., axis]).reshape(-1, width) for axis in (0, 1))
    length, angle = (polar.ravel() for polar in cv2.cartToPolar(x, y))
    position = angle * np.float32(ORIENTATIONS / (2 * np.pi))
    lower = position.astype(np.int32)
    upper_share = (position - lower) * length
    first_bin = cells(frames, height, width).ravel() * ORIENTATIONS
    bins = frames * GRID * GRID * ORIENTATIONS
    sums = np.bincount(first_bin + lower % ORIENTATIONS, length - upper_share, bins)
    sums += np.bincount(first_bin + (lower + 1) % ORIENTATIONS, upper_share, bins)
    mean = sums * (GRID * GRID / (height * width))
    return mean.reshape(frames, GRID, GRID, ORIENTATIONS).astype(np.float32)


def speeds(flow_PHWX: Floats) -> Floats:
    """Returns how fast each cell is, (P, R, S, 2 + the number of SPEEDS_PX).

    The means of the speed and of its square, and the shares of the cell that are faster than each.
    """
    pairs, height, width, _ = flow_PHWX.shape
    speed_PHW = np.hypot(flow_PHWX[..., 0], flow_PHWX[..., 1])
    numbers = [speed_PHW, speed_PHW**2, *(speed_PHW > bound for bound in SPEEDS_PX)]
    cell = cells(pairs, height, width).ravel()
    sums = [np.bincount(cell, number.ravel(), pairs * GRID * GRID) for number in numbers]
    mean = np.stack(sums, axis=1) * (GRID * GRID / (height * width))
    return mean.reshape(pairs, GRID, GRID, len(numbers)).astype(np.float32)


def cells(frames: int, height: int, width: int) -> NDArray[np.intp]:
    """Returns the number of the cell in which each pixel lies, (F, H, W); frames do not share."""
    row_H, column_W = (np.arange(size) * GRID // size for size in (height, width))
    cell_HW = row_H[:, None] * GRID + column_W
    return np.arange(frames)[:, None, None] * GRID * GRID + cell_HW


def _statistics(name: str, described_PRSN: Floats) -> Floats:
    """Returns the mean and deviation over pairs of the square roots, about 0 and of unit size."""
    roots_PD = np.sqrt(described_PRSN.reshape(len(described_PRSN), -1))
    (mean, mean_spread), (deviation, deviation_spread) = _USUAL[name]
    return np.concatenate(
        [
            (roots_PD.mean(axis=0) - np.float32(mean)) / np.float32(mean_spread),
            (roots_PD.std(axis=0) - np.float32(deviation)) / np.float32(deviation_spread),
        ]
    )


_CUT_CHANGE, _CUT_RATIO = 0.08, 4.0
_EDGES_STEP = 2
"""Edges change slowly: those of every other frame do."""
_USUAL = {
    "flow": ((0.0454, 0.0761), (0.0526, 0.0777)),
    "boundary x": ((0.0185, 0.0189), (0.0137, 0.0154)),
    "boundary y": ((0.0180, 0.0179), (0.0135, 0.0152)),
    "speed": ((0.0876, 0.1978), (0.0753, 0.1756)),
    "edges": ((0.0682, 0.0279), (0.0046, 0.0078)),
}
"""Mean and spread of each kind's mean, then of its deviation, over half an hour of surveillance
video: from channels of one size a network learns half as much again as from raw ones."""
