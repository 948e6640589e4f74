"""Snippets and time: the only place where one is computed from the other.

A video of T snippets is a row of T boxes of equal length; snippet t covers the time from
t to t + 1 boxes and its value stands at the middle, t + 0.5.

Axes: T snippets, D feature channels (or any other trailing axis).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.errors import InputError

SNIPPET_FRAMES = 16
"""Frames of one snippet, as I3D takes them (paper, section 4.1)."""


@dataclass(frozen=True, slots=True)
class SnippetClock:
    """Turns positions counted in snippets into seconds."""

    snippet_s: float
    """Seconds from the start of one snippet to the start of the next."""

    def __post_init__(self) -> None:
        if not (np.isfinite(self.snippet_s) and self.snippet_s > 0):
            raise InputError(f"a snippet must last more than 0 seconds, not {self.snippet_s}")

    @classmethod
    def from_rate(cls, *, fps: float, stride_frames: int = SNIPPET_FRAMES) -> "SnippetClock":
        """Returns the clock of snippets that start every `stride_frames` frames."""
        return cls(stride_frames / fps)

    @classmethod
    def from_duration(cls, *, duration_s: float, snippets: int) -> "SnippetClock":
        """Returns the clock of a video that was divided evenly into `snippets`."""
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
    """Returns `length` values that lie evenly over the same time, float32 (length, D).

    Linear interpolation between the middles of the boxes, held constant before the first and
    after the last: point j reads position (j + 0.5) * T / length - 0.5. This is OpenCV's
    INTER_LINEAR, which the released ECM code uses.
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

    The augmentation of the weakly supervised field (STPN, BaS-Net): every epoch sees other
    snippets of a long video. A short video repeats snippets.
    """
    position = (np.arange(length) + rng.random(length)) * (snippets / length)
    return np.minimum(position.astype(np.intp), snippets - 1)
