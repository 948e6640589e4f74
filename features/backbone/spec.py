"""The preprocessing of a backbone: JSON in the metadata of its ONNX file, or in a file beside it.

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
"""Key of the spec in the ONNX metadata."""

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
    """One input of the network. Its values are `(value * scale - mean) / std`."""

    name: str
    """Name of the input in the ONNX file."""
    layout: Layout
    """Order of the axes; without T, each frame is a separate image."""
    scale: float
    """Factor on the values: 0 to 255 in RGB, and -1 to 1 in flow, for -20 to 20 pixels."""
    stream: Stream = "rgb"
    """Frames in RGB, or their optical flow by TV-L1 or by DIS, which is faster."""
    mean: tuple[float, ...] = (0.0,)
    """Mean that is subtracted after scaling: one number, or one for each channel."""
    std: tuple[float, ...] = (1.0,)
    """Standard deviation that the result is divided by: one number, or one for each channel."""

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) not in (1, self.channels):
                raise SpecError(f"{name} must have 1 or {self.channels} numbers, not {len(values)}")
        if 0 in self.std:
            raise SpecError(f"std must not be 0, got {self.std}")

    @property
    def channels(self) -> int:
        """Number of channels: red, green and blue, or the displacements along x and y."""
        return 3 if self.stream == "rgb" else 2


@with_config(_STRICT)
@dataclass(frozen=True, slots=True)
class BackboneSpec:
    """All facts that turn the frames of a snippet into inputs, and the output into a row."""

    inputs: tuple[InputSpec, ...]
    """Inputs of the network."""
    output: str
    """Name of the output with the features, (N, D), possibly with more axes of length 1."""
    name: str = "onnx"
    """Name of the backbone, with which its id starts."""
    rate_fps: float = 25.0
    """Frame rate, in frames a second."""
    snippet_frames: int = 16
    """Frames from the start of a snippet to the start of the next."""
    clip_frames: int | None = None
    """Number of frames of the clip around a snippet, for networks that see more than the snippet;
    those of the snippet if not given. Before and after the video, its edge frames are repeated."""
    frames: int | None = None
    """Number of frames of a clip that are inputs; all if not given."""
    sampling: FrameSampling = "middles"
    """Choice of these frames: the clip is divided into as many equal parts, and the frame in the
    middle or at the start of each part is used."""
    short_side: int = 256
    """Pixels of the shorter side of a frame."""
    size: int = 224
    """Pixels of both sides of the crop."""
    crop: Crop = "centre"
    """Crops of a frame: the centre, or `ten`: centre and corners, plain and mirrored, averaged."""
    pooling: Pooling = "mean"
    """Pooling of the rows of single frames, if the layout has no T."""
    weights: dict[str, str] = field(default_factory=dict)
    """SHA-256 of the source files of the weights, by any name."""
    source: str | None = None
    """Library, network and weights that the backbone was exported from."""
    licence: str | None = None
    """Licence of the weights, in the words of their library."""
    format: Literal[1] = 1
    """Version of this format and of the preprocessing."""

    def __post_init__(self) -> None:
        if not self.inputs or len({wanted.name for wanted in self.inputs}) != len(self.inputs):
            raise SpecError("inputs must be at least one and have distinct names")
        if len({"T" in wanted.layout for wanted in self.inputs}) > 1:
            raise SpecError("expected T in the layouts of all inputs, or of none")
        if not (0 < self.rate_fps < math.inf and self.snippet_frames >= 1):
            raise SpecError(
                "rate_fps must be above 0 and snippet_frames at least 1, not "
                f"{self.rate_fps} and {self.snippet_frames}"
            )
        if not self.snippet_frames <= self.clip_length:
            raise SpecError(
                f"clip_frames must be at least {self.snippet_frames} (snippet_frames), not "
                f"{self.clip_frames}"
            )
        if not 1 <= self.seen_frames <= self.clip_length:
            raise SpecError(f"frames must be from 1 to {self.clip_length}, not {self.frames}")
        if not 1 <= self.size <= self.short_side:
            raise SpecError(
                f"size must be from 1 to {self.short_side} (short_side), not {self.size}"
            )

    @property
    def clip_length(self) -> int:
        """Number of frames of a clip."""
        return self.snippet_frames if self.clip_frames is None else self.clip_frames

    @property
    def seen_frames(self) -> int:
        """Number of frames of a clip that are inputs."""
        return self.clip_length if self.frames is None else self.frames

    @property
    def picks(self) -> list[int]:
        """Indices of these frames in the clip.

        Of 16 frames, 4 are 2, 6, 10, 14 with `middles`, and 0, 4, 8, 12 with `starts`.
        """
        halves = 1 if self.sampling == "middles" else 0
        parts, frames = self.seen_frames, self.clip_length
        return [(2 * index + halves) * frames // (2 * parts) for index in range(parts)]

    def shape(self, wanted: InputSpec, *, batch: int = 1) -> list[int]:
        """Returns the shape of an input for a batch of clips or of images."""
        sizes = {"C": wanted.channels, "T": self.seen_frames, "H": self.size, "W": self.size}
        return [batch, *(sizes[axis] for axis in wanted.layout[1:])]

    @property
    def takes_images(self) -> bool:
        """Whether each frame is a separate input image."""
        return "T" not in self.inputs[0].layout

    @property
    def id(self) -> str:
        """Name of the backbone and a hash of the whole spec."""
        return f"{self.name}-{sha256_of(self.to_json().encode())[:12]}"

    def to_json(self) -> str:
        """Returns the spec as JSON.

        Fields that are younger than the format are left out where they are not used, because an id
        is a hash of this text, and models name extractors by their id.
        """
        unused = {name for name in _YOUNGER if getattr(self, name) is None}
        return _ADAPTER.dump_json(self, exclude=unused).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "BackboneSpec":
        """Returns the spec in a JSON text.

        Raises:
            SpecError: the text is not JSON, or a field is missing, unknown or invalid.
        """
        return parse_json(_ADAPTER, text, name="the backbone's spec", error_class=SpecError)


_ADAPTER = TypeAdapter(BackboneSpec)
_YOUNGER = ("clip_frames", "source", "licence")


def i3d_spec(
    *, crop: Crop = "centre", flow: Flow = "tvl1", weights: Mapping[str, str] | None = None
) -> BackboneSpec:
    """Returns the preprocessing of the two-stream I3D: 16 frames at 25 a second, 224 x 224 pixels.

    Args:
        crop: `centre`, or `ten` crops.
        flow: method of optical flow; I3D was trained on TV-L1.
        weights: SHA-256 of the checkpoints.
    """
    rgb = InputSpec("rgb", "NTHWC", scale=2 / 255, mean=(1.0,))  # values in [-1, 1]
    moves = InputSpec("flow", "NTHWC", scale=1.0, stream=flow)
    sources = dict(weights or {})
    return BackboneSpec((rgb, moves), "features", name="i3d", crop=crop, weights=sources)
