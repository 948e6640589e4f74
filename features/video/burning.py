"""A copy of a video with the labels of its segments burnt into the frames.

Axes: H height, W width, C the channels red, green and blue.
"""

import heapq
from collections.abc import Sequence
from math import isfinite
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from ecm_client.drawing.lanes import colour_of
from ecm_client.formats.video_segments import one_line
from ecm_client.segments import Segment
from features.video.cut_source import CutSource
from features.video.encoding import encode_clip
from features.video.limits import VideoLimits
from features.video.reading import DEFAULT_LIMITS
from model.errors import OptionError, VideoError
from model.whole_file import whole_path

_FONT, _WEIGHT = "sans", 600
_TEXT_SHARE, _LEAST_TEXT_PIXELS = 1 / 22, 11
"""Height of the text as a share of the shorter side."""
_SHOWN = 4
"""Labels that a frame shows; the number of further labels follows."""
_LONGEST = 48
_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)


def burn_labels(
    path: Path,
    out: Path,
    segments: Sequence[Segment],
    *,
    labels: Sequence[str] = (),
    overwrite: bool = False,
    limits: VideoLimits = DEFAULT_LIMITS,
) -> None:
    """Writes an MP4 copy of a video that shows label and score while an action lasts.

    The copy is upright and has the sound of the video. It is written as a whole or not at all.

    Args:
        path: the video.
        out: the copy.
        segments: segments in any order; the best one of each label is shown.
        labels: classes in the order of the model, which determines the colours.
        overwrite: whether an older copy is replaced. The video itself never is.
        limits: limits on decoding.

    Raises:
        VideoError: the video cannot be read.
        OptionError: the copy exists, or is the video itself.
        OSError: the copy cannot be written.
    """
    if out.exists() and (not overwrite or out.samefile(path)):
        raise OptionError(f"{out} exists; expected a new file, so give another one or --overwrite")
    source = CutSource.prepare(path, limits)
    with whole_path(out) as partial:
        encode_clip(source, partial, draw=LabelPainter(segments, labels).draw)


class LabelPainter:
    """Draws the labels of the actions that last at a time, frame after frame."""

    def __init__(self, segments: Sequence[Segment], labels: Sequence[str]) -> None:
        """Takes the segments of a video.

        Raises:
            VideoError: a time is not a number.
        """
        if not all(isfinite(one.start_s) and isfinite(one.end_s) for one in segments):
            raise VideoError("expected segments with times, got a time that is not a number")
        names = list(labels) or sorted({one.label for one in segments})
        self._colours = {label: _rgb(colour_of(number)) for number, label in enumerate(names)}
        self._later = sorted(segments, reverse=True)
        self._lasting: list[tuple[float, int, Segment]] = []  # a heap by the end
        self._font = cv2.FontFace(_FONT)

    def draw(self, image_HWC: NDArray[np.uint8], time_s: float) -> None:
        """Draws into a frame. Times must not decrease from call to call."""
        lasting = self.lasting(time_s)
        texts = [(f"{_short(s.label)}  {s.score:.2f}", self._colour(s.label)) for s in lasting]
        if len(texts) > _SHOWN:
            texts[_SHOWN:] = [(f"and {len(texts) - _SHOWN} more", _BLACK)]
        bottom = image_HWC.shape[0]
        for text, colour in reversed(texts):
            bottom = self._tag(image_HWC, text, colour, bottom)

    def lasting(self, time_s: float) -> list[Segment]:
        """Returns the best segment of each label at a time, best first."""
        while self._later and self._later[-1].start_s <= time_s:
            segment = self._later.pop()
            heapq.heappush(self._lasting, (segment.end_s, len(self._later), segment))
        while self._lasting and self._lasting[0][0] <= time_s:
            heapq.heappop(self._lasting)
        best: dict[str, Segment] = {}
        for *_, segment in self._lasting:
            if segment.label not in best or segment.score > best[segment.label].score:
                best[segment.label] = segment
        return sorted(best.values(), key=lambda segment: -segment.score)

    def _tag(
        self, image_HWC: NDArray[np.uint8], text: str, colour: tuple[int, int, int], bottom: int
    ) -> int:
        """Draws a text in a box above a row of pixels; returns the top of the box."""
        height, width, _ = image_HWC.shape
        size = max(_LEAST_TEXT_PIXELS, round(min(height, width) * _TEXT_SHARE))
        margin = max(2, size // 3)
        _, _, text_width, _ = cv2.getTextSize(
            (width, height), text, (0, 0), self._font, size, _WEIGHT
        )
        left, low = margin, bottom - margin
        top, right = low - size - margin, min(left + text_width + 2 * margin, width - margin)
        if top < 0 or right <= left:
            return top
        cv2.rectangle(image_HWC, (left, top), (right, low), colour, cv2.FILLED)
        base = low - round(0.28 * size) - margin // 2
        cv2.putText(image_HWC, text, (left + margin, base), _WHITE, self._font, size, _WEIGHT)
        return top

    def _colour(self, label: str) -> tuple[int, int, int]:
        return self._colours.get(label, _BLACK)


def _short(label: str) -> str:
    name = one_line(label)
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…"


def _rgb(colour: str) -> tuple[int, int, int]:
    """Returns the parts of a colour `#rrggbb`."""
    red, green, blue = bytes.fromhex(colour.removeprefix("#"))
    return red, green, blue
