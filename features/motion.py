"""The `motion` extractor: motion of the image, and of its busiest part, by OpenCV without weights.

For each pair of frames and each cell of a grid over the image, these quantities are computed:

- motion boundary histograms (MBH): directions of the edges of both components of the flow;
- a histogram of the directions of the change of the flow from pair to pair;
- expansion, contraction, rotation and shear of the flow.

Steady motion of the camera has no influence on them. Two regions are described: the window of cells
with the most motion in the snippet, wherever it is, and the whole image. Features of cells at fixed
positions would describe the arrangement of one camera's scene.

Frames are three times as far apart as in most videos. Many surveillance cameras repeat each image
several times, so people would seem to jump from one frame to the next.

The row of a snippet has the mean and the standard deviation over its pairs, of square roots, so
that fast motion does not outweigh everything else. Pairs across a cut do not count, because the
difference between two shots is not motion.

Sources: Dalal, Triggs and Schmid, 2006, for MBH; Wang et al., 2013, for the square root.

Axes: F frames, P pairs of neighbouring frames, A pairs of neighbouring pairs, H height, W width, C
the channels red, green and blue, X the components along x and y, R and S rows and columns of cells,
N values that describe a cell, D feature channels.
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
"""Rows, and columns, of cells."""
WINDOW = 3
"""Rows, and columns, of cells in the busiest window."""
ORIENTATIONS = 8
"""Directions in a histogram."""


class MotionExtractor:
    """Describes the motion of each snippet of 5 frames, 0.6 s; see the module."""

    id = "motion-2"
    sha256 = None
    rate_fps = 25 / 3
    snippet_frames = clip_frames = 5
    short_side = 128
    feature_dim = 2 * 2 * (3 * ORIENTATIONS + 1 + 4)

    def __init__(self, *, threads: int = 1) -> None:
        """Prepares the optical flow, of which `threads` pairs are computed in parallel."""
        self._flow = DenseFlow("dis", threads=threads)

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[Floats]:
        """Yields the row (D,) of each snippet (6, H, W, 3)."""
        return map(self._row, snippets)

    def _row(self, frames_FHWC: NDArray[np.uint8]) -> Floats:
        grey_FHW = to_grey(frames_FHWC)
        flow_PHWX = self._flow(grey_FHW)[:, ::2, ::2]  # DIS computes a quarter of the size
        counts_P = ~cuts(grey_FHW)
        regions = (
            busiest_window(speeds(flow_PHWX)[counts_P].mean(axis=0)),
            (slice(None), slice(None)),
        )
        described = describe(flow_PHWX, counts_P)
        return np.concatenate(
            [
                _statistics(name, values_PRSN[:, *region])
                for region in regions
                for name, values_PRSN in described.items()
            ]
        )


def describe(flow_PHWX: Floats, counts_P: NDArray[np.bool_]) -> dict[str, Floats]:
    """Returns the quantities of each cell for each pair that counts, (P, R, S, N), by name.

    Args:
        flow_PHWX: flow of each pair, in pixels.
        counts_P: whether a pair counts. A change of the flow counts if both of its pairs do.
    """
    counts_A = counts_P[1:] & counts_P[:-1]
    edges_x_PHWX, edges_y_PHWX = (gradients(flow_PHWX[..., axis]) for axis in (0, 1))
    return {
        "boundary x": direction_histograms(edges_x_PHWX)[counts_P],
        "boundary y": direction_histograms(edges_y_PHWX)[counts_P],
        "deformation": deformations(edges_x_PHWX, edges_y_PHWX)[counts_P],
        "acceleration": accelerations(flow_PHWX)[counts_A],
    }


def cuts(grey_FHW: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Returns which pairs of frames are separated by a cut, (F - 1,); at most half of them.

    At a cut, the mean change of the image is large, and several times the median change. Changes
    0.01, 0.02, 0.30, 0.02 have the median 0.02, so only the third one is a cut.
    """
    change_P = np.array([cv2.absdiff(*pair).mean() / 255 for pair in pairwise(grey_FHW)])
    return (change_P > _CUT_CHANGE) & (change_P > _CUT_RATIO * np.median(change_P))


def busiest_window(speed_RS: Floats) -> tuple[slice, slice]:
    """Returns the rows and columns of the window with the most motion, the first one if equal.

    The sums of all windows are differences of the integral of the speeds. In one dimension, speeds
    0, 1, 5, 2 have the integral 0, 0, 1, 6, 8, and windows of 3 the sums 6 and 8.
    """
    integral_RS = np.pad(speed_RS.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    right_RS = integral_RS[:, WINDOW:] - integral_RS[:, :-WINDOW]
    sums_RS = right_RS[WINDOW:] - right_RS[:-WINDOW]
    row, column = divmod(int(sums_RS.argmax()), sums_RS.shape[1])
    return slice(row, row + WINDOW), slice(column, column + WINDOW)


def gradients(field_FHW: Floats) -> Floats:
    """Returns the central differences of a field along x and y, (F, H, W, 2); 0 at the border.

    The row 1, 2, 4, 8 has the differences 0, 1.5, 3, 0.
    """
    gradients_FHWX = np.zeros((*field_FHW.shape, 2), np.float32)
    gradients_FHWX[:, :, 1:-1, 0] = (field_FHW[:, :, 2:] - field_FHW[:, :, :-2]) / 2
    gradients_FHWX[:, 1:-1, :, 1] = (field_FHW[:, 2:] - field_FHW[:, :-2]) / 2
    return gradients_FHWX


def direction_histograms(vectors_FHWX: Floats) -> Floats:
    """Returns the histogram of the directions in each cell, (F, R, S, ORIENTATIONS).

    A vector counts with its length, which is divided between the two nearest directions. Direction
    0 points to the right, and 2 of 8 points down. The result is the mean over the pixels of a cell.
    A vector of length 4 at an angle of 11.25 degrees, a quarter of the way from direction 0 to 1,
    adds 3 to direction 0 and 1 to direction 1.
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
    """Returns the mean speed in each cell, in pixels a frame, (P, R, S)."""
    return cell_means(np.hypot(flow_PHWX[..., 0], flow_PHWX[..., 1]))[..., 0]


def accelerations(flow_PHWX: Floats) -> Floats:
    """Returns the change of the flow in each cell, (P - 1, R, S, ORIENTATIONS + 1).

    The values are the histogram of the directions of the change, and its mean length.
    """
    change_AHWX = np.diff(flow_PHWX, axis=0)
    length_AHW = np.hypot(change_AHWX[..., 0], change_AHWX[..., 1])
    return np.concatenate([direction_histograms(change_AHWX), cell_means(length_AHW)], axis=-1)


def deformations(edges_x_PHWX: Floats, edges_y_PHWX: Floats) -> Floats:
    """Returns expansion, contraction, rotation and shear of the flow in each cell, (P, R, S, 4).

    Args:
        edges_x_PHWX: gradients of the x component of the flow.
        edges_y_PHWX: gradients of the y component of the flow.
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
    """Returns the mean of each field in each cell, (F, R, S, number of fields)."""
    frames, height, width = fields_FHW[0].shape
    cell = cells(frames, height, width).ravel()
    sums = [np.bincount(cell, field.ravel(), frames * GRID * GRID) for field in fields_FHW]
    mean = np.stack(sums, axis=1) * (GRID * GRID / (height * width))
    return mean.reshape(frames, GRID, GRID, len(fields_FHW)).astype(np.float32)


def cells(frames: int, height: int, width: int) -> NDArray[np.intp]:
    """Returns the index of the cell of each pixel, (F, H, W); each frame has cells of its own."""
    row_H, column_W = (np.arange(size) * GRID // size for size in (height, width))
    cell_HW = row_H[:, None] * GRID + column_W
    return np.arange(frames)[:, None, None] * GRID * GRID + cell_HW


def _statistics(name: str, described_PRSN: Floats) -> Floats:
    """Returns mean and standard deviation over the pairs of a region, scaled to about unit size.

    Both are of square roots. If no pair counts, they are those of a still image.
    """
    region_PN = described_PRSN.mean(axis=(1, 2))
    roots_PN = (
        np.sqrt(region_PN) if len(region_PN) else np.zeros((1, region_PN.shape[1]), np.float32)
    )
    (mean, mean_spread), (deviation, deviation_spread) = _USUAL[name]
    return np.concatenate(
        [
            (roots_PN.mean(axis=0) - np.float32(mean)) / np.float32(mean_spread),
            (roots_PN.std(axis=0) - np.float32(deviation)) / np.float32(deviation_spread),
        ]
    )


_CUT_CHANGE, _CUT_RATIO = 0.08, 4.0
"""A cut changes pixels by more than this share of the range, and this many times the median."""
_USUAL = {
    "boundary x": ((0.055, 0.040), (0.019, 0.021)),
    "boundary y": ((0.051, 0.040), (0.019, 0.021)),
    "deformation": ((0.144, 0.108), (0.039, 0.041)),
    "acceleration": ((0.199, 0.257), (0.112, 0.138)),
}
"""Location and scale of the mean, then of the standard deviation, of each quantity, over half an
hour of surveillance video. They keep the unit of a quantity from deciding its weight."""
