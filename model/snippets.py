"""Snippets and time: the only module that converts between them.

The T snippets of a video divide its time into T intervals of equal length. Snippet t covers the
positions t to t + 1, counted in snippets, and its value belongs to the centre, t + 0.5.

Axes: T snippets, D feature channels (or any other trailing axis).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

SNIPPET_FRAMES = 16
"""Frames of one snippet for I3D (paper, section 4.1)."""


@dataclass(frozen=True, slots=True)
class SnippetClock:
    """Conversion of positions, counted in snippets, to seconds."""

    snippet_s: float
    """Seconds from the start of one snippet to the start of the next."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.snippet_s) and self.snippet_s > 0):
            raise InputError(f"expected a snippet of more than 0 seconds, got {self.snippet_s}")

    @classmethod
    def from_rate(cls, *, fps: float, stride_frames: int = SNIPPET_FRAMES) -> "SnippetClock":
        """Returns the clock of snippets that start every `stride_frames` frames.

        Raises:
            InputError: the rate or the stride is not above 0.
        """
        if not (np.isfinite(fps) and fps > 0):
            raise InputError(f"expected more than 0 frames a second, got {fps}")
        return cls(stride_frames / fps)

    @classmethod
    def from_duration(cls, *, duration_s: float, snippets: int) -> "SnippetClock":
        """Returns the clock of a video that is divided evenly into `snippets`."""
        return cls(duration_s / snippets)

    def seconds(self, position: float) -> float:
        """Returns the time of a position counted in snippets."""
        return position * self.snippet_s


def snippet_centres(*, snippets: int, duration_s: float) -> NDArray[np.float64]:
    """Returns the time in seconds of the centre of each snippet, (T,).

    Four snippets in 2 s have their centres at 0.25, 0.75, 1.25 and 1.75 s.
    """
    return np.asarray((np.arange(snippets) + 0.5) * (duration_s / snippets), np.float64)


def resample(values_TD: NDArray[np.floating], length: int) -> NDArray[np.float32]:
    """Returns the values resampled to `length` points over the same time, float32 (length, D).

    Linear interpolation between the centres of the snippets, constant before the first and after
    the last centre. Point j reads index (j + 0.5) * T / length - 0.5. This is INTER_LINEAR of
    OpenCV, which the released ECM code uses. The values 0, 4 at length 4 become 0, 1, 3, 4.
    """
    snippets = len(values_TD)
    values_TD = np.asarray(values_TD, dtype=np.float32)
    if snippets == length:
        return values_TD
    position = (np.arange(length) + 0.5) * (snippets / length) - 0.5
    position = np.clip(position, 0.0, snippets - 1.0)
    left = np.minimum(position.astype(np.intp), max(snippets - 2, 0))
    right = np.minimum(left + 1, snippets - 1)
    fraction = (position - left).astype(np.float32)[:, *[None] * (values_TD.ndim - 1)]
    return values_TD[left] * (1 - fraction) + values_TD[right] * fraction


def sample_one_per_bin(snippets: int, length: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """Returns `length` ascending snippet indices, a random one from each of `length` equal bins.

    This is the augmentation of STPN and BaS-Net: each epoch uses other snippets of a long video. A
    short video repeats snippets.
    """
    position = (np.arange(length) + rng.random(length)) * (snippets / length)
    return np.minimum(position.astype(np.intp), snippets - 1)
