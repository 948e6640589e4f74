"""The `motion` extractor: how the picture moves where most moves; OpenCV and numpy, no weights.

For each pair of frames, and in each cell of a grid over the picture: histograms of the directions
of the edges of the flow's two components (MBH) and of its change from pair to pair, and how much it
expands, contracts, turns and shears. A camera that moves steadily leaves all of that alone. Two
places are described: the window of cells in which most moves over the snippet, wherever that is,
and the whole picture. Cells by their position would say how one camera's scene is arranged.

Frames are taken three times as far apart as most videos have them: many surveillance cameras repeat
each picture several times, and from one to the next all that walks would seem to jump.

A snippet's row is the mean and the deviation over its pairs, of square roots, so that fast motion
does not outweigh all else. Pairs that a cut separates do not count: what lies between two shots is
no motion.

MBH: Dalal, Triggs and Schmid, 2006; square root: Wang et al., 2013.

Axes: F frames, P pairs of neighbours, A neighbours among these pairs, H height, W width, C the
channels red, green and blue, X the components along x and y, R and S rows and columns of cells,
N numbers that describe a cell, D feature channels.
"""

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from features.flow.opencv import DenseFlow, to_grey

Floats: TypeAlias = NDArray[np.float32]

GRID = 8
"""Rows and columns of cells."""
WINDOW = 3
"""Rows and columns of cells in the window where most moves."""
ORIENTATIONS = 8
"""Directions that a histogram tells apart."""


class MotionExtractor:
    """Describes each snippet of 5 frames, 0.6 s, by how it moves; see the module."""

    id = "motion-2"
    sha256 = None
    rate_fps = 25 / 3
    snippet_frames = 5
    short_side = 128
    feature_dim = 2 * 2 * (3 * ORIENTATIONS + 1 + 4)

    def __init__(self, *, threads: int = 1) -> None:
        """Prepares the flow, several pairs of which may be computed at the same time."""
        self._flow = DenseFlow("dis", threads=threads)

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[Floats]:
        """Gives the row (D,) of each snippet, (6, H, W, 3)."""
        return map(self._row, snippets)

    def _row(self, frames_FHWC: NDArray[np.uint8]) -> Floats:
        grey_FHW = to_grey(frames_FHWC)
        flow_PHWX = self._flow(grey_FHW)[:, ::2, ::2]  # DIS itself computes at a quarter's size
        counts_P = ~cuts(grey_FHW)
        counts_A = counts_P[1:] & counts_P[:-1]
        edges_x_PHWX, edges_y_PHWX = (gradients(flow_PHWX[..., axis]) for axis in (0, 1))
        described_PRSN = {
            "boundary x": direction_histograms(edges_x_PHWX)[counts_P],
            "boundary y": direction_histograms(edges_y_PHWX)[counts_P],
            "deformation": deformations(edges_x_PHWX, edges_y_PHWX)[counts_P],
            "acceleration": accelerations(flow_PHWX)[counts_A],
        }
        places = (
            busiest_window(speeds(flow_PHWX)[counts_P].mean(axis=0)),
            (slice(None), slice(None)),
        )
        return np.concatenate(
            [
                _statistics(name, numbers_PRSN[:, *place])
                for place in places
                for name, numbers_PRSN in described_PRSN.items()
            ]
        )


def cuts(grey_FHW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Tells which pairs of frames belong to different shots, (F - 1,); half of them at most.

    There the picture changes much, and several times as much as between most other frames.
    """
    change_P = np.array([cv2.absdiff(*pair).mean() / 255 for pair in pairwise(grey_FHW)])
    return (change_P > _CUT_CHANGE) & (change_P > _CUT_RATIO * np.median(change_P))


def busiest_window(speed_RS: Floats) -> tuple[slice, slice]:
    """Returns the rows and columns of the window with the most motion; the first of equals."""
    integral_RS = np.pad(speed_RS.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    right_RS = integral_RS[:, WINDOW:] - integral_RS[:, :-WINDOW]
    sums_RS = right_RS[WINDOW:] - right_RS[:-WINDOW]
    row, column = divmod(int(sums_RS.argmax()), sums_RS.shape[1])
    return slice(row, row + WINDOW), slice(column, column + WINDOW)


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
    """Returns how fast each cell is, pixels a frame, (P, R, S)."""
    return cell_means(np.hypot(flow_PHWX[..., 0], flow_PHWX[..., 1]))[..., 0]


def accelerations(flow_PHWX: Floats) -> Floats:
    """Returns how the flow of each cell changes, (P - 1, R, S, ORIENTATIONS + 1).

    A histogram of the change's directions, and its mean length.
    """
    change_AHWX = np.diff(flow_PHWX, axis=0)
    length_AHW = np.hypot(change_AHWX[..., 0], change_AHWX[..., 1])
    return np.concatenate([direction_histograms(change_AHWX), cell_means(length_AHW)], axis=-1)


def deformations(edges_x_PHWX: Floats, edges_y_PHWX: Floats) -> Floats:
    """Returns how the flow deforms each cell: it expands, contracts, turns, shears; (P, R, S, 4).

    Args:
        edges_x_PHWX: gradients of the flow's x component.
        edges_y_PHWX: gradients of its y component.
    """
    x_by_x_PHW, x_by_y_PHW = edges_x_PHWX[..., 0], edges_x_PHWX[..., 1]
    y_by_x_PHW, y_by_y_PHW = edges_y_PHWX[..., 0], edges_y_PHWX[..., 1]
    divergence_PHW = x_by_x_PHW + y_by_y_PHW
    return cell_means(
        np.maximum(divergence_PHW, 0),
        np.maximum(-divergence_PHW, 0),
        np.abs(y_by_x_PHW - x_by_y_PHW),
        np.hypot(x_by_x_PHW - y_by_y_PHW, x_by_y_PHW + y_by_x_PHW),
    )


def cell_means(*fields_FHW: NDArray[np.generic]) -> Floats:
    """Returns the mean of each field in each cell, (F, R, S, the number of fields)."""
    frames, height, width = fields_FHW[0].shape
    cell = cells(frames, height, width).ravel()
    sums = [np.bincount(cell, field.ravel(), frames * GRID * GRID) for field in fields_FHW]
    mean = np.stack(sums, axis=1) * (GRID * GRID / (height * width))
    return mean.reshape(frames, GRID, GRID, len(fields_FHW)).astype(np.float32)


def cells(frames: int, height: int, width: int) -> NDArray[np.intp]:
    """Returns the number of the cell in which each pixel lies, (F, H, W); frames do not share."""
    row_H, column_W = (np.arange(size) * GRID // size for size in (height, width))
    cell_HW = row_H[:, None] * GRID + column_W
    return np.arange(frames)[:, None, None] * GRID * GRID + cell_HW


def _statistics(name: str, described_PRSN: Floats) -> Floats:
    """Returns the mean and deviation over pairs of a place's square roots, of about unit size.

    As of a still picture where no pair counts.
    """
    place_PN = described_PRSN.mean(axis=(1, 2))
    roots_PN = np.sqrt(place_PN) if len(place_PN) else np.zeros((1, place_PN.shape[1]), np.float32)
    (mean, mean_spread), (deviation, deviation_spread) = _USUAL[name]
    return np.concatenate(
        [
            (roots_PN.mean(axis=0) - np.float32(mean)) / np.float32(mean_spread),
            (roots_PN.std(axis=0) - np.float32(deviation)) / np.float32(deviation_spread),
        ]
    )


_CUT_CHANGE, _CUT_RATIO = 0.08, 4.0
_USUAL = {
    "boundary x": ((0.055, 0.040), (0.019, 0.021)),
    "boundary y": ((0.051, 0.040), (0.019, 0.021)),
    "deformation": ((0.144, 0.108), (0.039, 0.041)),
    "acceleration": ((0.199, 0.257), (0.112, 0.138)),
}
"""Mean and spread of each kind's mean, then of its deviation, over half an hour of surveillance
video, so that no kind of channel outweighs the others because of its unit."""
