"""Reads videos in separate processes, because a video may crash a decoder.

A process looks at a video, or extracts the features of one chunk of it.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.extractors import Extractor, claimed_snippets, snippet_clock, video_rows
from features.model_extractor import open_model_extractor
from features.video.limits import VideoLimits
from features.worker_pool import WorkerPool

if TYPE_CHECKING:
    from features.video.reading import VideoInfo


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """Consecutive snippets of a video to extract."""

    video: Path
    """Video file."""
    extractor: str
    """Name or file of the extractor, for `open_model_extractor`."""
    extractor_id: str
    """Id that the extractor must have."""
    first_snippet: int
    """Index of the first snippet."""
    snippets: int
    """Number of snippets."""
    border: str | None = None
    """Border at which the chunk before these snippets ended; None if unknown."""

    def following(self, border: str | None) -> "ChunkTask":
        """Returns the task for the same number of snippets after these."""
        first = self.first_snippet + self.snippets
        return replace(self, first_snippet=first, border=border)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Features of consecutive snippets."""

    features_TD: NDArray[np.float32]
    """Fewer rows than requested if the video ends here."""
    claimed_snippets: int | None
    """Snippets of the whole video according to its header; None if the header has no length."""
    border: str | None
    """Digest of the first frame of the next chunk. It shows whether a process that starts there
    reads the same frames. None if the video ends before."""


class ChunkReader:
    """Answers tasks. For consecutive chunks of one video it keeps the decoder open."""

    def __init__(self, limits: VideoLimits, threads: int, max_snippets: int) -> None:
        """Prepares a reader.

        Args:
            limits: bounds on videos.
            threads: CPU threads of decoding and extraction.
            max_snippets: most snippets of a video. A longer one is refused as soon as the table of
                an MP4 file or a time stamp shows its length.
        """
        self._limits = limits
        self._threads = threads
        self._max_snippets = max_snippets
        self._next: ChunkTask | None = None
        self._opened = ("", "")

    def __call__(self, task: ChunkTask | Path) -> "Chunk | VideoInfo":
        """Returns the features of a chunk, or the properties of the video at a path.

        Raises:
            VideoError, OptionError, ModelError: raised by `chunk`.
        """
        if isinstance(task, ChunkTask):
            return self.chunk(task)
        from features.video.reading import probe  # here, because the server needs no FFmpeg

        return probe(task, limits=self._limits)

    def chunk(self, task: ChunkTask) -> Chunk:
        """Returns the features of a chunk.

        Raises:
            VideoError: the video is too long, or as `video_rows` raises.
            OptionError: raised by `open_model_extractor`.
            ModelError: raised by `open_model_extractor`.
        """
        if task != self._next:
            self._open(task)
        self._next = None
        rows = list(islice(self._rows, task.snippets))
        border = self._border(task.first_snippet + task.snippets)
        self._next = task.following(border)
        features_TD = np.stack(rows) if rows else np.empty((0, self._feature_dim), np.float32)
        return Chunk(features_TD, self._claimed_snippets, border)

    def _border(self, snippet: int) -> str | None:
        """Returns the border before a snippet, and forgets all earlier ones."""
        for index in [index for index in self._borders if index < snippet]:
            del self._borders[index]
        return self._borders.get(snippet)

    def _open(self, task: ChunkTask) -> None:
        extractor = self._extractor(task)
        self._claimed_snippets = claimed_snippets(extractor, task.video, limits=self._limits)
        longest_s = (self._max_snippets + 1) * snippet_clock(extractor).snippet_s
        limits = replace(self._limits, max_duration_s=min(self._limits.max_duration_s, longest_s))
        self._feature_dim = extractor.feature_dim
        self._borders: dict[int, str] = {}
        self._rows = video_rows(
            extractor,
            task.video,
            first_snippet=task.first_snippet,
            border=task.border,
            on_border=self._borders.__setitem__,
            limits=limits,
            threads=self._threads,
        )

    def _extractor(self, task: ChunkTask) -> Extractor:
        wanted = (task.extractor, task.extractor_id)
        if wanted != self._opened:
            self._current = open_model_extractor(*wanted, threads=self._threads)
            self._opened = wanted
        return self._current


class ChunkPool:
    """Processes that extract chunks, one for each video."""

    def __init__(self, workers: int, limits: VideoLimits, threads: int, max_snippets: int) -> None:
        """Prepares `workers` processes; the other arguments are those of `ChunkReader`."""
        prepare = partial(ChunkReader, limits, threads, max_snippets)
        self._pool: WorkerPool[ChunkTask | Path, Chunk | VideoInfo] = WorkerPool(prepare, workers)

    def chunk(self, task: ChunkTask, *, timeout_s: float) -> Chunk:
        """Returns the features of a chunk; errors are those of `WorkerPool.ask`."""
        chunk = self._pool.ask(task, timeout_s=timeout_s)
        assert isinstance(chunk, Chunk)
        return chunk

    def probe(self, video: Path, *, timeout_s: float) -> "VideoInfo":
        """Returns the properties of a video; errors are those of `WorkerPool.ask`."""
        info = self._pool.ask(video, timeout_s=timeout_s)
        assert not isinstance(info, Chunk)
        return info

    def stop(self) -> None:
        """Kills all processes at once, for good."""
        self._pool.stop()
