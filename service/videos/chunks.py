"""Extracts features chunk by chunk in separate processes, because a video may crash a decoder."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.extractors import Extractor, claimed_snippets, video_rows
from features.model_extractor import open_model_extractor
from features.video.decoding import VideoLimits
from features.worker_pool import WorkerPool


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

    def following(self) -> "ChunkTask":
        """Returns the task for the same number of snippets after these."""
        return replace(self, first_snippet=self.first_snippet + self.snippets)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Features of consecutive snippets."""

    features_TD: NDArray[np.float32]
    """Fewer rows than requested if the video ends here."""
    claimed_snippets: int | None
    """Snippets of the whole video according to its header; None if the header has no length."""


class ChunkReader:
    """Answers tasks. For consecutive chunks of one video it keeps the decoder open."""

    def __init__(self, limits: VideoLimits, threads: int) -> None:
        """Prepares a reader.

        Args:
            limits: bounds on videos.
            threads: CPU threads of decoding and extraction.
        """
        self._limits = limits
        self._threads = threads
        self._next: ChunkTask | None = None
        self._opened = ("", "")

    def __call__(self, task: ChunkTask) -> Chunk:
        """Returns the features of a chunk.

        Raises:
            VideoError, OptionError: raised by `video_rows` and `open_model_extractor`.
            ModelError: raised by `open_model_extractor`.
        """
        if task != self._next:
            self._open(task)
        self._next = None
        rows = list(islice(self._rows, task.snippets))
        self._next = task.following()
        features_TD = np.stack(rows) if rows else np.empty((0, self._feature_dim), np.float32)
        return Chunk(features_TD, self._claimed_snippets)

    def _open(self, task: ChunkTask) -> None:
        extractor = self._extractor(task)
        self._claimed_snippets = claimed_snippets(extractor, task.video, limits=self._limits)
        self._feature_dim = extractor.feature_dim
        self._rows = video_rows(
            extractor,
            task.video,
            first_snippet=task.first_snippet,
            limits=self._limits,
            threads=self._threads,
        )

    def _extractor(self, task: ChunkTask) -> Extractor:
        wanted = (task.extractor, task.extractor_id)
        if wanted != self._opened:
            self._current = open_model_extractor(*wanted, threads=self._threads)
            self._opened = wanted
        return self._current


def chunk_pool(workers: int, limits: VideoLimits, threads: int) -> WorkerPool[ChunkTask, Chunk]:
    """Returns a pool of processes that extract chunks, one process for each video."""
    return WorkerPool(partial(ChunkReader, limits, threads), workers)
