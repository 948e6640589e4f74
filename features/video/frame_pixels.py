"""From a frame as it was coded to the RGB picture that a player shows, scaled.

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
"""Frames longer than this many times their shorter side are squeezed to it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """How a video's frames are to be shown."""

    width: int
    """Pixels across as they are coded."""
    height: int
    """Pixels down as they are coded."""
    pixel_aspect: Fraction
    """Width of a coded pixel over its height."""
    transposed: bool = False
    """Whether rows are shown as columns, before the flips."""
    mirrored: bool = False
    """Whether left and right change places."""
    upside_down: bool = False
    """Whether top and bottom change places."""

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether rows and columns run backwards."""
        return self.upside_down, self.mirrored

    @property
    def shown(self) -> tuple[int, int]:
        """Width and height of the picture that is shown, in square pixels."""
        width = max(1, round(self.width * self.pixel_aspect))
        return (self.height, width) if self.transposed else (width, self.height)

    def scaled(self, short_side: int) -> tuple[int, int]:
        """Returns the width and height of the picture with this many pixels on its shorter side."""
        width, height = self.shown
        shorter, longer = sorted((width, height))
        long_side = round(short_side * min(longer / shorter, MAX_ASPECT))
        return (short_side, long_side) if width < height else (long_side, short_side)


def shape_of(frame: VideoFrame, pixel_aspect: Fraction | None) -> Shape:
    """Returns how a video is shown, from its first frame and what its header says of pixels."""
    sane = pixel_aspect is not None and 1 / MAX_ASPECT <= pixel_aspect <= MAX_ASPECT
    aspect = pixel_aspect if pixel_aspect is not None and sane else Fraction(1)
    return Shape(frame.width, frame.height, aspect, *_orientation(frame))


class FrameScaler:
    """Makes pictures of one size of all frames of a video."""

    def __init__(self, shape: Shape, short_side: int) -> None:
        width, height = shape.scaled(short_side)
        self._shape = shape
        self._coded_size = (height, width) if shape.transposed else (width, height)
        self._reformatter = VideoReformatter()
        self._fields: dict[tuple[int, int, str], Graph] = {}

    def __call__(self, frame: VideoFrame) -> NDArray[np.uint8]:
        """Returns the picture, RGB (H, W, 3).

        Scaling and colours are one pass of FFmpeg's scaler, which looks at all pixels that it
        merges. Of interlaced frames one field is taken: two moments do not mix.
        """
        width, height = self._coded_size
        if frame.interlaced_frame:
            frame = self._top_field(frame)
        scaled = self._reformatter.reformat(
            frame, width, height, "rgb24", interpolation="BILINEAR", threads=1
        )
        return _turned(scaled.to_ndarray().astype(np.uint8, copy=False), self._shape)

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


def _turned(picture_HWC: NDArray[np.uint8], shape: Shape) -> NDArray[np.uint8]:
    """Returns a view of a picture, turned as it is to be shown."""
    if shape.transposed:
        picture_HWC = picture_HWC.swapaxes(0, 1)
    rows, columns = (slice(None, None, -1 if flip else 1) for flip in shape.flips)
    return picture_HWC[rows, columns]


def _orientation(frame: VideoFrame) -> tuple[bool, bool, bool]:
    """Returns transposed, mirrored and upside_down of a frame's display matrix.

    The matrix takes coded (x, y) to shown (a x + c y, b x + d y); multiples of 90 degrees and
    mirror images are told apart, nothing else.
    """
    try:
        matrix = frame.side_data["DISPLAYMATRIX"]  # type: ignore[typeddict-item] # a wrong stub
    except (KeyError, ValueError):  # none, or beside it something that PyAV has no name for
        return False, False, False
    a, b, _, c, d = struct.unpack("=5i", bytes(matrix)[:20])
    if abs(b) > abs(a):
        return True, c < 0, b < 0
    return False, a < 0, d < 0


_ANY_BASE = Fraction(1, 25)
