"""Extraction of one video at a time in a worker process of features/worker_pool.py."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.extractors import Extractor, open_extractor, snippet_clock, uses_tvl1, video_rows
from model.whole_file import sha256_of


@dataclass(frozen=True, slots=True)
class Origin:
    """The video and the extractor of a file of features."""

    video_sha256: str
    """SHA-256 of the video file."""
    extractor: str
    """Id of the extractor: its name, version and options."""
    extractor_sha256: str | None
    """SHA-256 of the weights of the extractor; None if it has none."""
    snippet_s: float
    """Seconds from one row to the next."""
    tvl1: str | None = field(default=None, compare=False)
    """Library that computed TV-L1 flow, `opencv` or `torch`; None without such flow. It is only a
    record: the two differ about as much as flow of OpenCV before and after an invisible change of
    the frames."""


@dataclass(frozen=True, slots=True)
class ExtractorChoice:
    """An extractor and the resources of its process."""

    name: str
    """Name of the extractor; see `open_extractor`."""
    flow_on_gpu: bool = False
    """Whether a CUDA GPU computes TV-L1 flow."""
    threads: int = 1
    """Threads of the computation."""

    def open(self) -> Extractor:
        """Returns the extractor.

        Raises:
            OptionError, ModelError, DeviceError: see `open_extractor` and `Tvl1Flow`.
        """
        if not self.flow_on_gpu:
            return open_extractor(self.name, threads=self.threads)
        from features.flow.tvl1 import Tvl1Flow

        return open_extractor(self.name, threads=self.threads, tvl1=Tvl1Flow("cuda"))


@dataclass(frozen=True, slots=True)
class VideoTask:
    """A video to extract."""

    video: Path
    """The video file."""
    known: Origin | None
    """Origin of the existing features; None if there are none."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """Features that were computed."""

    features_TD: NDArray[np.float32]
    """The features."""
    origin: Origin
    """Origin of the features."""


@dataclass(frozen=True, slots=True)
class UpToDate:
    """The existing features are of the same file and by the same extractor."""


VideoResult: TypeAlias = Extracted | UpToDate


class VideoExtraction:
    """Extraction of one video after the other with one extractor."""

    def __init__(self, choice: ExtractorChoice) -> None:
        """Opens the extractor.

        Raises:
            OptionError, ModelError, DeviceError: see `ExtractorChoice.open`.
        """
        self._extractor = choice.open()
        tvl1 = "torch" if choice.flow_on_gpu else "opencv"
        self._tvl1 = tvl1 if uses_tvl1(self._extractor) else None

    def __call__(self, task: VideoTask) -> VideoResult:
        """Returns the features of a video, unless the existing ones are up to date.

        Raises:
            VideoError, ModelError: see `video_rows`.
            OSError: the file cannot be read.
        """
        extractor = self._extractor
        origin = Origin(
            sha256_of(task.video),
            extractor.id,
            extractor.sha256,
            snippet_clock(extractor).snippet_s,
            self._tvl1,
        )
        if origin == task.known:
            return UpToDate()
        # One thread decodes, because there are as many workers as cores.
        rows = video_rows(extractor, task.video, threads=1)
        return Extracted(np.stack(list(rows)), origin)
