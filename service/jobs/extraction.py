"""Features of the videos of jobs: extracted chunk by chunk, stored in files, and cached.

The file of a chunk is written before DBOS records the chunk. A resumed job therefore finds the
files of all recorded chunks.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Final

import numpy as np
from dbos import DBOS
from numpy.typing import NDArray
from pydantic import TypeAdapter

from ecm_client.schemas import JobProgress
from model.arrays import check_features
from model.errors import VideoError, WorkerError
from model.spec import ExtractorIdentity, ModelSpec
from model.whole_file import whole_file
from service.jobs.attempts import Attempts
from service.jobs.record import PROGRESS
from service.jobs.recorded_step import run_step
from service.references.video_files import VideoFile
from service.settings import Settings
from service.telemetry.metrics import Metrics
from service.videos.chunks import Chunk, ChunkPool, ChunkTask
from service.videos.data_folder import DataFolder
from service.videos.feature_cache import FeatureCache

_log = logging.getLogger(__name__)

_SPEED_CHUNKS = 8
"""Chunks from which the present speed is measured."""


@dataclass(frozen=True, slots=True)
class StoredChunk:
    """Recorded outcome of a chunk, whose features are in a file."""

    rows: int
    """Snippets in the chunk."""
    ended: bool
    """Whether the video ends here. Recorded, because the setting `chunk_snippets` may change."""
    claimed_snippets: int | None
    """Snippets of the whole video according to its header; None if the header has no length."""
    elapsed_s: float
    """Time of extraction and storage."""


_CHUNK: Final = TypeAdapter(StoredChunk)
_CHUNKS: Final = TypeAdapter(list[StoredChunk])


class Extraction:
    """Extracts and stores the features of the videos of jobs."""

    def __init__(
        self,
        settings: Settings,
        data: DataFolder,
        pool: ChunkPool,
        attempts: Attempts,
        metrics: Metrics,
    ) -> None:
        """Takes the processes that extract chunks, and what decides on further attempts."""
        self._settings = settings
        self._data = data
        self._pool = pool
        self._attempts = attempts
        self._metrics = metrics
        self._cache = FeatureCache(data.features, settings.feature_cache_bytes)

    def run(
        self, id_: str, video: VideoFile, name: str, extractor: ExtractorIdentity
    ) -> list[StoredChunk]:
        """Runs the steps that store the features of a video, and publishes the progress.

        Args:
            id_: id of the job.
            video: the video.
            name: name or file of the extractor here.
            extractor: identity of the extractor, for the cache.

        Raises:
            StepFailedError: the features cannot be extracted.
        """
        chunks = run_step("look up", _CHUNKS, self._cached, id_, video, extractor)
        if chunks:
            DBOS.set_event(PROGRESS, _progress(chunks).model_dump_json())
        size = self._settings.chunk_snippets
        while not chunks or not chunks[-1].ended:
            number, first = len(chunks), sum(chunk.rows for chunk in chunks)
            task = ChunkTask(video.path, name, extractor.name, first, size)
            work = partial(self._attempts.of, self._chunk, id_, number, task, video)
            chunks.append(run_step(f"chunk {number}", _CHUNK, work))
            DBOS.set_event(PROGRESS, _progress(chunks).model_dump_json())
        return chunks

    def features(
        self, id_: str, video: VideoFile, chunks: int, spec: ModelSpec
    ) -> NDArray[np.float32]:
        """Returns the checked features (T, D) of a whole video, and caches them.

        Raises:
            FeatureError: the features cannot be used with the model.
        """
        parts = [np.load(self._chunk_path(id_, number)) for number in range(chunks)]
        features_TD = check_features(
            np.concatenate(parts),
            feature_dim=spec.feature_dim,
            max_snippets=self._settings.max_snippets,
        )
        self._cache.put(video.sha256, spec.extractor, features_TD)
        return features_TD

    def _cached(
        self, id_: str, video: VideoFile, extractor: ExtractorIdentity
    ) -> list[StoredChunk]:
        """Copies the cached features of a video, if any, into the job as its only chunk."""
        features_TD = self._cache.get(video.sha256, extractor)
        self._metrics.looked_up(hit=features_TD is not None)
        if features_TD is None:
            return []
        self._store(id_, 0, features_TD)
        rows = len(features_TD)
        return [StoredChunk(rows, ended=True, claimed_snippets=rows, elapsed_s=0.0)]

    def _chunk(self, id_: str, number: int, task: ChunkTask, video: VideoFile) -> StoredChunk:
        self._attempts.check_stopping()
        video.check_unchanged()
        if task.first_snippet > self._settings.max_snippets:
            raise VideoError(
                f"the video has more than {self._settings.max_snippets} snippets; split it"
            )
        start = perf_counter()
        chunk = self._ask(replace(task, border=self._border(id_, number)))
        self._store(id_, number, chunk.features_TD)
        if chunk.border:
            with whole_file(self._border_path(id_, number + 1)) as file:
                file.write(chunk.border.encode())
        elapsed_s = perf_counter() - start
        _log.debug("chunk stored", extra={"fields": {"job": id_, "chunk": number}})
        rows = len(chunk.features_TD)
        self._metrics.extracted(rows, elapsed_s)
        return StoredChunk(rows, rows < task.snippets, chunk.claimed_snippets, elapsed_s)

    def _ask(self, task: ChunkTask) -> Chunk:
        try:
            return self._pool.chunk(task, timeout_s=self._settings.chunk_timeout_s)
        except WorkerError:
            self._attempts.check_stopping()
            raise

    def _store(self, id_: str, number: int, features_TD: NDArray[np.float32]) -> None:
        with whole_file(self._chunk_path(id_, number)) as file:
            np.save(file, features_TD)

    def _border(self, id_: str, number: int) -> str | None:
        """Returns the border before a chunk; None if it was not stored."""
        try:
            return self._border_path(id_, number).read_text()
        except FileNotFoundError:
            return None

    def _border_path(self, id_: str, number: int) -> Path:
        return self._data.job(id_) / f"{number:06}.border"

    def _chunk_path(self, id_: str, number: int) -> Path:
        return self._data.job(id_) / f"{number:06}.npy"


def _progress(chunks: Sequence[StoredChunk]) -> JobProgress:
    done = sum(chunk.rows for chunk in chunks)
    claimed = chunks[-1].claimed_snippets
    expected = done if chunks[-1].ended else None if claimed is None else max(claimed, done)
    recent = chunks[-_SPEED_CHUNKS:]
    rows, elapsed_s = sum(chunk.rows for chunk in recent), sum(chunk.elapsed_s for chunk in recent)
    left_s = None
    if expected is not None and rows:
        left_s = (expected - done) * elapsed_s / rows
    return JobProgress(snippets_done=done, snippets_expected=expected, seconds_left=left_s)
