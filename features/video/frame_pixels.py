"""Conversion of coded frames to scaled RGB images, as a player shows them.

Axes: H height, W width, C the channels red, green and blue.
"""

import struct
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

MAX_ASPECT = 4
"""Largest ratio of the longer to the shorter side; longer frames are squeezed to it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Size, pixel aspect and orientation of the frames of a video."""

    width: int
    """Width of the coded frame in pixels."""
    height: int
    """Height of the coded frame in pixels."""
    pixel_aspect: Fraction
    """Width of a coded pixel divided by its height."""
    transposed: bool = False
    """Whether rows become columns, before the flips."""
    mirrored: bool = False
    """Whether left and right are exchanged."""
    upside_down: bool = False
    """Whether top and bottom are exchanged."""

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether the rows and the columns are reversed."""
        return self.upside_down, self.mirrored

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the displayed image in square pixels."""
        width = max(1, round(self.width * self.pixel_aspect))
        return (self.height, width) if self.transposed else (width, self.height)

    def scaled(self, short_side: int) -> tuple[int, int]:
        """Returns width and height of the image with `short_side` pixels on its shorter side."""
        width, height = self.shown
        shorter, longer = sorted((width, height))
        long_side = round(short_side * min(longer / shorter, MAX_ASPECT))
        return (short_side, long_side) if width < height else (long_side, short_side)


def shape_of(frame: VideoFrame, pixel_aspect: Fraction | None) -> Shape:
    """Returns the shape of a video from its first frame and the pixel aspect of its header.

    An implausible pixel aspect counts as 1.
    """
    is_plausible = pixel_aspect is not None and 1 / MAX_ASPECT <= pixel_aspect <= MAX_ASPECT
    aspect = pixel_aspect if pixel_aspect is not None and is_plausible else Fraction(1)
    return Shape(frame.width, frame.height, aspect, *_orientation(frame))


class FrameScaler:
    """Converts all frames of a video to RGB images of one size."""

    def __init__(self, shape: Shape, short_side: int) -> None:
        width, height = shape.scaled(short_side)
        self._shape = shape
        self._coded_size = (height, width) if shape.transposed else (width, height)
        self._reformatter = VideoReformatter()
        self._fields: dict[tuple[int, int, str], Graph] = {}

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Returns the image of a frame, RGB (H, W, 3).

        The scaler of FFmpeg scales and converts colours in one pass, and averages all pixels that
        it merges. Only one field of an interlaced frame is used, because its two fields are from
        different times.
        """
        width, height = self._coded_size
        if frame.interlaced_frame:
            frame = self._top_field(frame)
        scaled = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation="BILINEAR", threads=1
        )
        return _oriented(scaled.to_ndarray().astype(np.uint8, copy=False), self._shape)

    def _top_field(self, frame: VideoFrame) -> VideoFrame:
        kind = (frame.width, frame.height, frame.format.name)
        if kind not in self._fields:
            graph = Graph()
            source = graph.add_buffer(
                width=frame.width, height=frame.height, format=frame.format, time_base=_ANY_BASE
            )
            graph.link_nodes(source, graph.add("field", "top"), graph.add("buffersink")).configure()
            self._fields[kind] = graph
        self._fields[kind].vpush(frame)
        return self._fields[kind].vpull()


def _oriented(image_HWC: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """Returns a view of an image in the orientation of the shape."""
    if shape.transposed:
        image_HWC = image_HWC.swapaxes(0, 1)
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in shape.flips)
    return image_HWC[rows, columns]


def _orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """Returns `transposed`, `mirrored` and `upside_down` from the display matrix of a frame.

    The matrix maps coded (x, y) to displayed (a x + c y, b x + d y). Rotations are rounded to
    multiples of 90 degrees. For a = d = 0, b = 1, c = -1, the image is turned by 90 degrees:
    transposed, then mirrored.
    """
    try:
        matrix = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item] # the stub is wrong
    except KeyError:
        return False, False, False
    except ValueError:  # other side data that PyAV does not know, beside a matrix or not
        return _ROTATED[round(frame.rotation / 90) % 4]
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(b) > abs(a):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


_ROTATED = (
    (False, False, False),
    (True, False, True),
    (False, True, True),
    (True, True, False),
)
"""Orientation by quarter turns counterclockwise. Without the matrix, mirroring is unknown."""
_ANY_BASE = Fraction(1, 25)
