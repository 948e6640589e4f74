"""What turns the frames of a video into its snippets' features.

Axes: F frames, H height, W width, C the channels red, green and blue, D feature channels.
"""

from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from model.errors import OptionError
from model.snippets import SnippetClock

if TYPE_CHECKING:
    from features.flow.opencv import FlowEngine
    from features.video.decoding import VideoLimits

MOTION = "motion"
"""The extractor that works at once: OpenCV alone, no weights."""


class Extractor(Protocol):
    """Computes one row of features from every snippet, whatever snippets stand around it."""

    @property
    def id(self) -> str:
        """What it computes, with its version and options; a different output has another id."""

    @property
    def sha256(self) -> str | None:
        """Hash of the file that holds its weights; None where it has none."""

    @property
    def rate_fps(self) -> float:
        """Frames a second that it wants to see."""

    @property
    def snippet_frames(self) -> int:
        """Frames from the start of a snippet to the start of the next."""

    @property
    def short_side(self) -> int:
        """Pixels of a frame's shorter side; the longer one follows the video's shape."""

    @property
    def feature_dim(self) -> int:
        """Channels of a row (D)."""

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Gives the row (D,), float32 and finite, of each snippet, in order.

        Each snippet is (snippet_frames + 1, H, W, 3), RGB: its frames and the first frame of the
        next, so that it has as many pairs of frames as frames. `read_snippets` gives them. An
        extractor that computes several snippets at once reads ahead no further than that batch.
        """


@runtime_checkable
class SeesFlow(Protocol):
    """What an extractor has, too, if it sees optical flow of a kind that its user chooses."""

    @property
    def flow_methods(self) -> Collection[str]:
        """The kinds of flow that it sees."""


def sees_tvl1(extractor: Extractor) -> bool:
    """Returns whether an extractor computes TV-L1 flow, most of its time if so."""
    return isinstance(extractor, SeesFlow) and "tvl1" in extractor.flow_methods


def snippet_clock(extractor: Extractor) -> SnippetClock:
    """Returns the clock of the rows that an extractor computes."""
    return SnippetClock.from_rate(fps=extractor.rate_fps, stride_frames=extractor.snippet_frames)


def video_rows(
    extractor: Extractor,
    video: Path,
    *,
    first_snippet: int = 0,
    limits: "VideoLimits | None" = None,
    threads: int = 0,
) -> Iterator[NDArray[np.float32]]:
    """Yields the features of a video, one row (D,) a snippet.

    Args:
        extractor: computes the rows.
        video: a local file.
        first_snippet: the snippet to start at.
        limits: on what is decoded; the defaults of `VideoLimits` if not given.
        threads: threads that decode; 0 for one a core.

    Raises:
        VideoError, ModelError: as `read_snippets` and `Extractor.features` do.
    """
    from features.video.decoding import VideoLimits  # FFmpeg is loaded here, where it is used
    from features.video.reading import read_snippets

    snippets = read_snippets(
        video,
        rate_fps=extractor.rate_fps,
        snippet_frames=extractor.snippet_frames,
        short_side=extractor.short_side,
        first_snippet=first_snippet,
        limits=limits or VideoLimits(),
        threads=threads,
    )
    yield from extractor.features(snippets)


def claimed_snippets(
    extractor: Extractor, video: Path, *, limits: "VideoLimits | None" = None
) -> int | None:
    """Returns the number of a video's rows if its header is right; None if that has no duration.

    Raises:
        VideoError: not a video that can be read, or larger than the limits allow.
    """
    from features.video.decoding import VideoLimits
    from features.video.reading import probe

    claimed_s = probe(video, limits=limits or VideoLimits()).duration_s
    return max(1, round(claimed_s / snippet_clock(extractor).snippet_s)) if claimed_s else None


def open_extractor(name: str, *, threads: int = 1, tvl1: "FlowEngine | None" = None) -> Extractor:
    """Returns the extractor of this name, or of the id that a model's spec holds.

    Args:
        name: `motion`, its id, or the path of a backbone's ONNX file.
        threads: that it may compute in.
        tvl1: what computes TV-L1 flow for an extractor that sees it; OpenCV if not given.

    Raises:
        OptionError: there is none of this name.
        ModelError: the ONNX file is not a backbone, or not as its spec says.
    """
    # OpenCV and onnxruntime are loaded where they are used.
    if name.endswith(".onnx"):
        from features.backbone.extractor import open_onnx
        from model.engine import EngineConfig

        engine = EngineConfig(threads=threads)
        return open_onnx(Path(name), engine=engine, flow_threads=threads, tvl1=tvl1)
    from features.motion import MotionExtractor

    motion = MotionExtractor(threads=threads)
    if name in (MOTION, motion.id):
        return motion
    raise OptionError(f"no extractor {name!r}; expected {MOTION!r} or a path NAME.onnx")
