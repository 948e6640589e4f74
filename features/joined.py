"""Several extractors on one clock: the features of each, one after the other in a row.

The snippets are those of the slowest clock. A faster extractor computes as many of its own snippets
as fit, evenly over the joined snippet, and their rows are averaged. Frames are read once, at the
highest rate and size. Each extractor gets every n-th of them, at its own size.

Axes: S snippets, F frames, H height, W width, C the channels red, green and blue, D feature
channels.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from features.extractors import JOINT, Extractor, UsesFlow
from model.errors import OptionError

BATCH_SNIPPETS = 4
"""Joined snippets whose frames are in memory at once."""

_RATE_TOLERANCE = 1e-6


class JoinedExtractor:
    """Concatenates the rows of several extractors; each row depends on its own snippet only."""

    def __init__(self, members: Sequence[Extractor]) -> None:
        """Finds the common clock.

        Args:
            members: extractors, in the order of their channels.

        Raises:
            OptionError: their frame rates do not fit.
        """
        self.id = JOINT.join(member.id for member in members)
        self.sha256 = JOINT.join(member.sha256 or "" for member in members)
        self.rate_fps = max(member.rate_fps for member in members)
        self.short_side = max(member.short_side for member in members)
        self.feature_dim = sum(member.feature_dim for member in members)
        steps = [_step(member, self.rate_fps) for member in members]
        self.snippet_frames = max(
            member.snippet_frames * step for member, step in zip(members, steps, strict=True)
        )
        self._seats = [
            _Seat.place(member, step, self.snippet_frames)
            for member, step in zip(members, steps, strict=True)
        ]
        self._before = max(seat.reach(self.snippet_frames) for seat in self._seats)
        self.clip_frames = self.snippet_frames + 2 * self._before

    @property
    def flow_methods(self) -> set[str]:
        """Kinds of optical flow that the members compute by the user's choice."""
        members = [seat.extractor for seat in self._seats]
        return {kind for one in members if isinstance(one, UsesFlow) for kind in one.flow_methods}

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yields the row (D,) of each snippet (clip_frames + 1, H, W, 3), in order.

        Raises:
            VideoError, ModelError: as the members raise.
        """
        source = iter(snippets)
        while batch := list(islice(source, BATCH_SNIPPETS)):
            parts = [seat.rows(batch, self._before) for seat in self._seats]
            yield from np.concatenate(parts, axis=1)


@dataclass(frozen=True, slots=True)
class _Seat:
    """An extractor and the places of its snippets in a joined one, counted in joined frames."""

    extractor: Extractor
    """The extractor."""
    step: int
    """Joined frames from one of its frames to the next."""
    starts: tuple[int, ...]
    """First frame of each of its clips; negative before the joined snippet."""

    @classmethod
    def place(cls, extractor: Extractor, step: int, length: int) -> "_Seat":
        """Distributes the snippets of an extractor over a joined snippet.

        In 16 frames, one snippet of 15 starts at frame 0; two snippets of 7 start at 0 and 9.
        """
        room = length - extractor.snippet_frames * step
        count = round(length / (extractor.snippet_frames * step))
        before = (extractor.clip_frames - extractor.snippet_frames) // 2 * step
        places = [room // 2] if count == 1 else [n * room // (count - 1) for n in range(count)]
        return cls(extractor, step, tuple(place - before for place in places))

    def reach(self, length: int) -> int:
        """Returns how many frames before or after a joined snippet the clips need."""
        end = self.starts[-1] + self.extractor.clip_frames * self.step
        return max(0, -self.starts[0], end - length)

    def rows(self, snippets: Sequence[NDArray[np.uint8]], before: int) -> NDArray[np.float32]:
        """Returns the features of joined snippets that begin `before` frames early, (S, D)."""
        frames = np.arange(self.extractor.clip_frames + 1) * self.step + before
        clips = (
            _scaled(snippet_FHWC[frames + start], self.extractor.short_side)
            for snippet_FHWC in snippets
            for start in self.starts
        )
        rows = np.stack(list(self.extractor.features(clips)))
        return rows.reshape(len(snippets), len(self.starts), -1).mean(axis=1)


def _step(member: Extractor, rate_fps: float) -> int:
    """Returns how many frames at a rate are one frame of an extractor.

    Raises:
        OptionError: it is not a whole number.
    """
    ratio = rate_fps / member.rate_fps
    if abs(ratio - round(ratio)) > _RATE_TOLERANCE:
        raise OptionError(
            f"the clock of {member.id} does not fit: {rate_fps:g} frames a second, the highest of "
            f"the joined extractors, is not a multiple of its {member.rate_fps:g}; export one of "
            "them again with another --rate-fps"
        )
    return round(ratio)


def _scaled(frames_FHWC: NDArray[np.uint8], short_side: int) -> NDArray[np.uint8]:
    """Returns frames with a number of pixels on the shorter side."""
    height, width = frames_FHWC.shape[1:3]
    if min(height, width) == short_side:
        return frames_FHWC
    factor = short_side / min(height, width)
    size = round(width * factor), round(height * factor)
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_AREA) for f in frames_FHWC])
