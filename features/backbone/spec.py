"""What a backbone in ONNX wants to see: the JSON that lies in its metadata, or in a file beside it.

Axes of a layout: N clips or images, C channels, T frames, H rows, W columns.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, with_config

from model.errors import SpecError
from model.validation import parse_json
from model.whole_file import sha256_of

METADATA_KEY = "ecm.backbone"
"""Where the ONNX metadata holds the spec."""

Flow: TypeAlias = Literal["tvl1", "dis"]
Stream: TypeAlias = Literal["rgb"] | Flow
Layout: TypeAlias = Literal["NCHW", "NHWC", "NCTHW", "NTCHW", "NTHWC"]
Crop: TypeAlias = Literal["centre", "ten"]
FrameSampling: TypeAlias = Literal["middles", "starts"]
Pooling: TypeAlias = Literal["mean", "max"]

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class InputSpec:
    """One input of the network; it gets `(value * scale - mean) / std`."""

    name: str
    """Its name in the ONNX file."""
    layout: Layout
    """Order of its axes; without T, every frame is an image of its own."""
    scale: float
    """Factor on the values: RGB comes as 0 to 255, flow in [-1, 1] for +-20 pixels."""
    stream: Stream = "rgb"
    """Frames in RGB, or their optical flow: by TV-L1, or by DIS, which is fast."""
    mean: tuple[float, ...] = (0.0,)
    """Subtracted then: one number, or one a channel."""
    std: tuple[float, ...] = (1.0,)
    """What is divided by: one number, or one a channel."""

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise SpecError(f"{name} takes 1 or {self.channels} numbers, not {len(values)}")
        if 0 in self.std:
            raise SpecError(f"std must not be 0, got {self.std}")

    @property
    def channels(self) -> int:
        """Red, green and blue; or the displacements along x and y."""
        return 3 if self.stream == "rgb" else 2


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """All that turns a snippet's frames into a backbone's inputs, and its output into a row."""

    inputs: tuple[InputSpec, ...]
    """What it sees."""
    output: str
    """Name of the output that holds the features: (N, D), or with more axes of length 1."""
    name: str = "onnx"
    """What it is called; its id starts with it."""
    rate_fps: float = 25.0
    """Frames a second."""
    snippet_frames: int = 16
    """Frames from the start of a snippet to the start of the next."""
    frames: int | None = None
    """How many of them it sees; all if not given."""
    sampling: FrameSampling = "middles"
    """Which ones: of that many equal parts, the frame in the middle or at the start of each."""
    short_side: int = 256
    """Pixels of a frame's shorter side."""
    size: int = 224
    """Pixels of both sides of what is cut out of it."""
    crop: Crop = "centre"
    """The centre, or the mean of ten: centre and corners, as they are and mirrored."""
    pooling: Pooling = "mean"
    """How the rows of single frames become one, where the layout has no T."""
    weights: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the files that its weights came from, by any name."""
    format: Literal[1] = 1
    """Version of this structure and of what it makes of a frame."""

    def __post_init__(self) -> None:
        if not self.inputs or len({wanted.name for wanted in self.inputs}) != len(self.inputs):
            raise SpecError("inputs must have distinct names and be at least one")
        if len({"T" in wanted.layout for wanted in self.inputs}) > 1:
            raise SpecError("the layouts of all inputs must have T, or none of them")
        if not (0 < self.rate_fps < math.inf and self.snippet_frames >= 1):
            raise SpecError(
                "rate_fps must be above 0 and snippet_frames at least 1, not "
                f"{self.rate_fps} and {self.snippet_frames}"
            )
        if not 1 <= self.seen_frames <= self.snippet_frames:
            raise SpecError(f"frames must lie in 1 to {self.snippet_frames}, not {self.frames}")
        if not 1 <= self.size <= self.short_side:
            raise SpecError(
                f"size must lie in 1 to {self.short_side} (short_side), not {self.size}"
            )

    @property
    def seen_frames(self) -> int:
        """Frames of a snippet that the backbone sees."""
        return self.snippet_frames if self.frames is None else self.frames

    @property
    def picks(self) -> list[int]:
        """Which frames of a snippet these are."""
        halves = 1 if self.sampling == "middles" else 0
        parts, frames = self.seen_frames, self.snippet_frames
        return [(2 * index + halves) * frames // (2 * parts) for index in range(parts)]

    def shape(self, wanted: InputSpec, *, batch: int = 1) -> list[int]:
        """Returns the shape of an input for a batch of clips, or of images."""
        sizes = {"C": wanted.channels, "T": self.seen_frames, "H": self.size, "W": self.size}
        return [batch, *(sizes[axis] for axis in wanted.layout[1:])]

    @property
    def takes_images(self) -> bool:
        """Whether every frame goes through the network on its own."""
        return "T" not in self.inputs[0].layout

    @property
    def id(self) -> str:
        """Its name and a hash of all that is said here."""
        return f"{self.name}-{sha256_of(self.to_json().encode())[:12]}"

    def to_json(self) -> str:
        """Returns the JSON that `from_json` reads."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "BackboneSpec":
        """Returns the spec in a JSON text.

        Raises:
            SpecError: not JSON, a field that is absent, unknown, of the wrong type or out of range.
        """
        return parse_json(_ADAPTER, text, name="the backbone's spec", error_class=SpecError)


_ADAPTER = TypeAdapter(BackboneSpec)


def i3d_spec(
    *, crop: Crop = "centre", flow: Flow = "tvl1", weights: Mapping[str, str] | None = None
) -> BackboneSpec:
    """Returns what the two-stream I3D was trained on: 16 frames at 25 a second, 224 x 224 of them.

    Args:
        crop: the centre or ten.
        flow: how it is computed; TV-L1 in training.
        weights: hashes of its checkpoints.
    """
    rgb = InputSpec("rgb", "NTHWC", scale=2 / 255, mean=(1.0,))  # so in [-1, 1]
    moves = InputSpec("flow", "NTHWC", scale=1.0, stream=flow)
    sources = dict(weights or {})
    return BackboneSpec((rgb, moves), "features", name="i3d", crop=crop, weights=sources)
