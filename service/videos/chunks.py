"""Features of a video, chunk by chunk, in processes of their own: a video may crash a decoder."""

from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.extractors import Extractor, open_extractor, snippet_clock, video_rows
from features.video.decoding import VideoLimits
from features.video.reading import probe
from features.worker_pool import WorkerPool
from model.errors import ModelError


@dataclass(frozen=True, slots=True)
class ChunkTask:
    """Some snippets of a video."""

    video: Path
    """Its file."""
    extractor: str
    """As `open_extractor` takes it."""
    extractor_id: str
    """What it has to be."""
    first_snippet: int
    """The first of them."""
    snippets: int
    """How many."""

    def following(self) -> "ChunkTask":
        """The task of as many snippets after these."""
        return replace(self, first_snippet=self.first_snippet + self.snippets)


@dataclass(frozen=True, slots=True)
class Chunk:
    """Their features."""

    features_TD: NDArray[np.float32]
    """Fewer rows than were asked for where the video ends."""
    claimed_snippets: int | None
    """Rows of the whole video if its header is right; None where that does not say."""


class ChunkReader:
    """Answers tasks; goes on reading where the last chunk of the same video ended."""

    def __init__(self, limits: VideoLimits, threads: int) -> None:
        """Has read nothing yet."""
        self._limits = limits
        self._threads = threads
        self._next: ChunkTask | None = None
        self._opened = ""

    def __call__(self, task: ChunkTask) -> Chunk:
        """Returns the features of a chunk.

        Raises:
            VideoError, OptionError, ModelError: as `video_rows` and `open_extractor` do, or it
                is not the extractor that it has to be.
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
        claimed_s = probe(task.video, limits=self._limits).duration_s
        snippet_s = snippet_clock(extractor).snippet_s
        self._claimed_snippets = max(1, round(claimed_s / snippet_s)) if claimed_s else None
        self._feature_dim = extractor.feature_dim
        self._rows = video_rows(
            extractor,
            task.video,
            first_snippet=task.first_snippet,
            limits=self._limits,
            threads=self._threads,
        )

    def _extractor(self, task: ChunkTask) -> Extractor:
        if task.extractor != self._opened:
            self._current = open_extractor(task.extractor, threads=self._threads)
            self._opened = task.extractor
        if self._current.id != task.extractor_id:
            raise ModelError(
                f"the model was trained with the extractor {task.extractor_id}, the file with the "
                f"same network says {self._current.id}: another preprocessing"
            )
        return self._current


def chunk_pool(workers: int, limits: VideoLimits, threads: int) -> WorkerPool[ChunkTask, Chunk]:
    """Returns a pool of processes that extract chunks, one for each video under way."""
    return WorkerPool(partial(ChunkReader, limits, threads), workers)
