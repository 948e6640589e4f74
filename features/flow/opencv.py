"""Dense optical flow between the frames of a video, computed by OpenCV.

Axes: F frames, P = F - 1 pairs of neighbours, H height, W width, X the displacement along x and y.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol, TypeAlias

import cv2
import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError

FlowMethod: TypeAlias = Literal["tvl1", "dis"]

I3D_BOUND_PX = 20.0
"""Displacement that becomes 1 in the input of I3D; larger ones are clipped (its preprocessing)."""


class FlowEngine(Protocol):
    """Computes the optical flow of each pair of neighbouring frames, independent of other pairs."""

    def __call__(self, grey_FHW: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns displacements in pixels, (F - 1, H, W, 2)."""


class DenseFlow:
    """A `FlowEngine` in OpenCV.

    Pairs are distributed over threads, because OpenCV releases the GIL. The threads of OpenCV
    itself, which would split single pairs, are turned off in the whole process.
    """

    def __init__(self, method: FlowMethod, *, threads: int = 1) -> None:
        """Selects a method.

        Args:
            method: `tvl1`, on which I3D was trained, or `dis`, which is hundreds of times faster.
            threads: number of pairs that are computed in parallel.
        """
        cv2.setNumThreads(1)
        self._method = method
        self._pool = ThreadPoolExecutor(threads, "flow") if threads > 1 else None

    def __call__(self, grey_FHW: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Returns displacements in pixels, (F - 1, H, W, 2).

        Raises:
            OptionError: the method is `dis`, and the frames are too small for it.
        """
        if self._method == "dis" and min(grey_FHW.shape[1:]) < _DIS_SMALLEST_PX:
            raise OptionError(
                f"expected frames of at least {_DIS_SMALLEST_PX} pixels a side for DIS flow, got "
                f"{grey_FHW.shape[2]} x {grey_FHW.shape[1]}"
            )
        map_pairs = map if self._pool is None else self._pool.map
        flows = list(map_pairs(self._pair, grey_FHW[:-1], grey_FHW[1:]))
        return np.stack(flows) if flows else np.empty((0, *grey_FHW.shape[1:], 2), np.float32)

    def _pair(self, first_HW: NDArray[np.uint8], next_HW: NDArray[np.uint8]) -> NDArray[np.float32]:
        # A new object for each pair takes microseconds. An object serves one thread only, and that
        # of TV-L1 continues with fewer scales after small frames.
        method = _METHODS[self._method]()
        flow = method.calc(first_HW, next_HW, None)  # type: ignore[call-overload] # None is allowed
        return np.asarray(flow, np.float32)


def to_grey(frames_FHWC: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Returns RGB frames as greyscale images, (F, H, W)."""
    frames, height, width, _ = frames_FHWC.shape
    grey = cv2.cvtColor(frames_FHWC.reshape(frames * height, width, 3), cv2.COLOR_RGB2GRAY)
    return np.asarray(grey, np.uint8).reshape(frames, height, width)


def as_i3d_expects(flow_PHWX: NDArray[np.float32]) -> NDArray[np.float32]:
    """Returns displacements clipped to +-20 pixels and scaled to [-1, 1]."""
    return np.clip(flow_PHWX, -I3D_BOUND_PX, I3D_BOUND_PX) / np.float32(I3D_BOUND_PX)


_METHODS: dict[FlowMethod, Callable[[], cv2.DenseOpticalFlow]] = {
    "tvl1": lambda: cv2.optflow.createOptFlow_DualTVL1(),
    "dis": lambda: cv2.DISOpticalFlow.create(cv2.DISOpticalFlow_PRESET_FAST),
}
_DIS_SMALLEST_PX = 32
"""OpenCV refuses frames below 12 pixels, and crashes on some that are slightly larger."""
