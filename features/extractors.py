"""Extractors: they compute the snippet features of a video from its frames.

Axes: F frames, H height, W width, C the channels red, green and blue, D feature channels.
"""

import re
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import repeat
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from features.video.limits import VideoLimits
from model.errors import OptionError
from model.snippets import SnippetClock

if TYPE_CHECKING:
    from features.flow.opencv import FlowEngine

MOTION = "motion"
"""Name of the extractor that needs OpenCV only, and no weights."""
JOINT = "+"
"""Separates names, ids and hashes of extractors that are joined."""
_MEMBER = re.compile(r"(motion(?:-\d+)?|.+?\.onnx)(?:\+|$)")


class Extractor(Protocol):
    """Computes one row of features for each snippet, independent of the other snippets."""

    @property
    def id(self) -> str:
        """Name, version and options of the computation; a different output has a different id."""

    @property
    def sha256(self) -> str | None:
        """SHA-256 of the file with the weights; None if there are no weights."""

    @property
    def rate_fps(self) -> float:
        """Frame rate of the snippets, in frames a second."""

    @property
    def snippet_frames(self) -> int:
        """Frames from the start of a snippet to the start of the next."""

    @property
    def clip_frames(self) -> int:
        """Frames of a snippet's clip, at least `snippet_frames`; more if clips overlap."""

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side of a frame; the longer side follows the aspect ratio."""

    @property
    def feature_dim(self) -> int:
        """Channels of the features (D)."""

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yields the row (D,) of each snippet, float32 and finite, in order.

        A snippet is RGB, (clip_frames + 1, H, W, 3), as `read_snippets` yields it. The last frame
        follows the clip, so there are as many pairs of frames as frames in the clip. An
        extractor that computes several snippets at once reads no further ahead than one batch.
        """


@runtime_checkable
class UsesFlow(Protocol):
    """An extractor that also computes optical flow, of a kind that the user chooses."""

    @property
    def flow_methods(self) -> Collection[str]:
        """Kinds of optical flow, such as `tvl1`."""


def uses_tvl1(extractor: Extractor) -> bool:
    """Returns whether an extractor computes TV-L1 flow, which takes most of its time."""
    return isinstance(extractor, UsesFlow) and "tvl1" in extractor.flow_methods


def snippet_clock(extractor: Extractor) -> SnippetClock:
    """Returns the clock of the snippets of an extractor."""
    return SnippetClock.from_rate(fps=extractor.rate_fps, stride_frames=extractor.snippet_frames)


def video_rows(
    extractor: Extractor,
    video: Path,
    *,
    first_snippet: int = 0,
    border: str | None = None,
    on_border: Callable[[int, str], None] | None = None,
    limits: VideoLimits | None = None,
    threads: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """Yields the features of a video, one row (D,) for each snippet.

    Args:
        extractor: the extractor.
        video: a local file.
        first_snippet: index of the snippet to start at.
        border: a digest that `on_border` received for this snippet. The video is then read from
            the middle; see `read_snippets`.
        on_border: is called with the index of each snippet and a digest of its first frame.
        limits: limits on decoding; the defaults of `VideoLimits` if not given.
        threads: decoder threads; 0 for one on each core.

    Raises:
        VideoError, ModelError: as `read_snippets` and `Extractor.features` do.
    """
    from features.video.reading import read_snippets  # loads FFmpeg, which is slow

    snippets = read_snippets(
        video,
        rate_fps=extractor.rate_fps,
        snippet_frames=extractor.snippet_frames,
        short_side=extractor.short_side,
        clip_frames=extractor.clip_frames,
        first_snippet=first_snippet,
        border=border,
        on_border=on_border,
        limits=limits or VideoLimits(),
        threads=threads,
    )
    yield from _computed_once(extractor, snippets)


def _computed_once(
    extractor: Extractor, snippets: Iterable[NDArray[np.uint8]]
) -> Iterator[NDArray[np.float32]]:
    """Yields the row of each snippet; a snippet that is repeated at once is computed once.

    `read_snippets` yields the same array as long as one frame is shown. For the snippets a a a b,
    the extractor gets a and b, and their rows are yielded 3 times and once.
    """
    counts: deque[int] = deque()

    def runs() -> Iterator[NDArray[np.uint8]]:
        source = iter(snippets)
        current = next(source, None)
        while current is not None:
            count = 1
            while (following := next(source, None)) is current:
                count += 1
            counts.append(count)
            yield current
            current = following

    for row_D in extractor.features(runs()):
        yield from repeat(row_D, counts.popleft())


def claimed_snippets(
    extractor: Extractor, video: Path, *, limits: VideoLimits | None = None
) -> int | None:
    """Returns the number of snippets according to the header; None if it has no duration.

    Raises:
        VideoError: the video is not readable, or exceeds the limits.
    """
    from features.video.reading import probe

    claimed_s = probe(video, limits=limits or VideoLimits()).duration_s
    return max(1, round(claimed_s / snippet_clock(extractor).snippet_s)) if claimed_s else None


def member_names(name: str) -> list[str]:
    """Returns the names of the extractors in a joined name, or the name itself.

    `motion+/c++/i3d.onnx` has the members `motion` and `/c++/i3d.onnx`.
    """
    names = _MEMBER.findall(name)
    return names if names and JOINT.join(names) == name else [name]


def open_extractor(name: str, *, threads: int = 1, tvl1: "FlowEngine | None" = None) -> Extractor:
    """Returns the extractor with a name, or with the id in the spec of a model.

    Args:
        name: `motion`, its id, or the path of the ONNX file of a backbone; several of them, joined
            with `+`, for the features of all.
        threads: threads of the computation.
        tvl1: computes TV-L1 flow for an extractor that uses it; OpenCV if not given.

    Raises:
        OptionError: there is no such extractor, or the clocks of joined ones do not fit.
        ModelError: the ONNX file is not a backbone, or contradicts its spec.
    """
    # OpenCV and onnxruntime are imported here, because importing them is slow.
    if len(names := member_names(name)) > 1:
        from features.joined import JoinedExtractor

        return JoinedExtractor([open_extractor(one, threads=threads, tvl1=tvl1) for one in names])
    if name.endswith(".onnx"):
        from features.backbone.extractor import open_onnx
        from model.inference.engine import EngineConfig

        engine = EngineConfig(threads=threads)
        return open_onnx(Path(name), engine=engine, flow_threads=threads, tvl1=tvl1)
    from features.motion import MotionExtractor

    motion = MotionExtractor(threads=threads)
    if name in (MOTION, motion.id):
        return motion
    raise OptionError(
        f"no extractor {name!r}; expected {MOTION!r}, a path NAME.onnx, or several joined with +"
    )
