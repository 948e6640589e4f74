"""Request to a library, and its response: a network with its spec."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TypeAlias

from torch import nn

from features.backbone.spec import BackboneSpec, Crop
from model.errors import OptionError

Weights: TypeAlias = Path | Literal["download", "random"]
"""A file of weights, the library's own download, or seeded random values for tests."""

SEED = 0
"""Seed of random weights."""


def origin(weights: Weights, *, downloaded: str) -> str:
    """Returns words for the origin of weights; `downloaded` names those of the library."""
    if isinstance(weights, Path):
        return f"file {weights.name}"
    return downloaded if weights == "download" else "random weights"


@dataclass(frozen=True, slots=True)
class ClipRequest:
    """The clock of the features, and the clip that the network sees around each snippet."""

    rate_fps: float = 25.0
    """Frame rate that videos are read at, in frames a second."""
    snippet_frames: int = 15
    """Frames from the start of a snippet to the start of the next; 15 are 0.6 s, the clock of
    `motion`, so that both can be joined."""
    frames: int | None = None
    """Frames that the network sees of a clip; those of the library if not given."""
    clip_s: float | None = None
    """Seconds that these frames cover; those of the library if not given."""
    crop: Crop = "centre"
    """Crops of a frame."""

    def clock(self, frames: int, clip_s: float | None) -> "ClipClock":
        """Returns the clock for the frames and seconds of a library's own clips.

        16 frames over 1.07 s are spread over the 27 frames around a snippet at 25 frames a second.
        A clip that is shorter than a snippet, or of unknown length, covers the snippet.

        Raises:
            OptionError: a number is out of range.
        """
        frames = self.frames or frames
        clip_s = self.clip_s or clip_s or 0.0
        if min(self.rate_fps, self.snippet_frames, frames) <= 0 or clip_s < 0:
            raise OptionError(
                "expected a rate, frames and seconds above 0, got "
                f"{self.rate_fps:g} frames a second, snippets of {self.snippet_frames} frames, "
                f"clips of {frames} frames and {clip_s:g} s"
            )
        length = max(self.snippet_frames, frames, round(clip_s * self.rate_fps))
        return ClipClock(self.rate_fps, self.snippet_frames, length, frames)


@dataclass(frozen=True, slots=True)
class ClipClock:
    """The fields of a spec that concern time; see `BackboneSpec`."""

    rate_fps: float
    """Frame rate, in frames a second."""
    snippet_frames: int
    """Frames from the start of a snippet to the start of the next."""
    clip_frames: int
    """Frames of the clip around a snippet."""
    frames: int
    """Frames of a clip that are inputs."""


@dataclass(frozen=True, slots=True)
class Backbone:
    """A network in evaluation mode, and the spec with which it is exported."""

    network: nn.Module
    """Maps the input of the spec to features (N, D)."""
    spec: BackboneSpec
    """The preprocessing, source and licence."""
