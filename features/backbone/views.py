"""Conversion of frames to network inputs: crop, scaling, order of axes.

Axes: S snippets, T frames, H height, W width, C channels: red, green and blue, or the displacements
along x and y; N images (S times T).
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.backbone.spec import Crop, InputSpec


class View(NamedTuple):
    """A square crop of a frame."""

    down: float
    """Vertical position: 0 at the top, 1 at the bottom."""
    right: float
    """Horizontal position: 0 at the left, 1 at the right."""
    mirrored: bool
    """Whether left and right are exchanged."""


_POSITIONS = ((0.5, 0.5), (0.0, 0.0), (0.0, 1.0), (1.0, 0.0), (1.0, 1.0))
VIEWS: dict[Crop, tuple[View, ...]] = {
    "centre": (View(0.5, 0.5, mirrored=False),),
    "ten": tuple(
        View(*position, mirrored) for mirrored in (False, True) for position in _POSITIONS
    ),
}


def cut_view(
    frames_THWC: NDArray[np.generic], view: View, size: int, *, moves: bool
) -> NDArray[np.generic]:
    """Returns a crop of the frames, (T, size, size, C).

    If the frames are optical flow (`moves`), mirroring also negates the displacements along x.
    """
    _, height, width, _ = frames_THWC.shape
    top, left = int(view.down * (height - size)), int(view.right * (width - size))
    cut_THWC = frames_THWC[:, top : top + size, left : left + size]
    if not view.mirrored:
        return cut_THWC
    mirrored_THWC = cut_THWC[:, :, ::-1]
    return mirrored_THWC * np.array([-1, 1], np.float32) if moves else mirrored_THWC


def as_input(clips_STHWC: NDArray[np.generic], wanted: InputSpec) -> NDArray[np.float32]:
    """Returns clips in the form of an input: scaled, normalised, and with its layout."""
    values = clips_STHWC.astype(np.float32) * np.float32(wanted.scale)
    values -= np.array(wanted.mean, np.float32)
    values /= np.array(wanted.std, np.float32)
    axes = "NTHWC"
    if "T" not in wanted.layout:
        axes = "NHWC"
        values = values.reshape(-1, *values.shape[2:])
    return np.ascontiguousarray(values.transpose([axes.index(axis) for axis in wanted.layout]))
