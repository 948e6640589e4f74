"""What a worker process does with one video after the other; features/worker_pool.py runs it."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.extractors import Extractor, open_extractor, sees_tvl1, snippet_clock, video_rows
from model.whole_file import sha256_of


@dataclass(frozen=True, slots=True)
class Origin:
    """What a file of features was made from."""

    video_sha256: str
    """Hash of the video file."""
    extractor: str
    """Id of the extractor: its name, version and options."""
    extractor_sha256: str | None
    """Hash of the extractor's weights; None where it has none."""
    snippet_s: float
    """Seconds a row."""
    tvl1: str | None = field(default=None, compare=False)
    """What computed TV-L1 flow, `opencv` or `torch`; None where none was. For the record only: they
    differ about as much as OpenCV's flow before and after an invisible change of the frames."""


@dataclass(frozen=True, slots=True)
class ExtractorChoice:
    """An extractor, and how a process computes it."""

    name: str
    """As `open_extractor` takes it."""
    flow_on_gpu: bool = False
    """Whether a CUDA GPU computes its TV-L1 flow."""
    threads: int = 1
    """That it may compute in."""

    def open(self) -> Extractor:
        """Returns the extractor.

        Raises:
            OptionError, ModelError, DeviceError: as `open_extractor` and `Tvl1Flow` do.
        """
        if not self.flow_on_gpu:
            return open_extractor(self.name, threads=self.threads)
        from features.flow.tvl1 import Tvl1Flow

        return open_extractor(self.name, threads=self.threads, tvl1=Tvl1Flow("cuda"))


@dataclass(frozen=True, slots=True)
class Task:
    """A video to do."""

    video: Path
    """Its file."""
    known: Origin | None
    """What its features were made from that are there already; None where there are none."""


@dataclass(frozen=True, slots=True)
class Extracted:
    """Features were computed."""

    features_TD: NDArray[np.float32]
    """They themselves."""
    origin: Origin
    """What they were made from."""


@dataclass(frozen=True, slots=True)
class UpToDate:
    """The features that are there were made from the same file by the same extractor."""


Answer: TypeAlias = Extracted | UpToDate


class VideoExtraction:
    """Does videos, in a worker process."""

    def __init__(self, choice: ExtractorChoice) -> None:
        """Opens the extractor.

        Raises:
            OptionError, ModelError, DeviceError: as `ExtractorChoice.open` does.
        """
        self._extractor = choice.open()
        tvl1 = "torch" if choice.flow_on_gpu else "opencv"
        self._tvl1 = tvl1 if sees_tvl1(self._extractor) else None

    def __call__(self, task: Task) -> Answer:
        """Returns what there is to say of a video.

        Raises:
            VideoError, ModelError: as `video_rows` does.
            OSError: the file cannot be read.
        """
        extractor = self._extractor
        snippet_s = snippet_clock(extractor).snippet_s
        origin = Origin(
            sha256_of(task.video), extractor.id, extractor.sha256, snippet_s, self._tvl1
        )
        if origin == task.known:
            return UpToDate()
        return Extracted(self._features(task.video), origin)

    def _features(self, video: Path) -> NDArray[np.float32]:
        """Returns a video's features (T, D)."""
        # One thread decodes, because there are as many workers as cores.
        return np.stack(list(video_rows(self._extractor, video, threads=1)))
