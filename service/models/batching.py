"""Runs of videos of like length are put together, as a GPU likes it.

Nobody waits for long: a batch is run when it is full, or its first video has waited for the delay,
as soon as the engine is free then. Until that moment others may join.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import contextlib
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from onnxruntime import RunOptions

from model.engine import OnnxEngine
from model.errors import EngineError
from service.http.buffers import Buffers
from service.models.page_locked import page_locked

_KEPT_BYTES = 128 * 1024 * 1024
"""Memory of a batch that waits for the next one: of 16 videos of 750 snippets."""
_FLOAT_BYTES = np.dtype(np.float32).itemsize


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """What is put together."""

    max_videos: int = 1
    """Most videos of a batch."""
    delay_s: float = 0.0
    """How long the first of them waits for others."""
    bucket_snippets: int = 1
    """Videos are padded to a multiple of this, and those of one length are put together."""

    def padded(self, snippets: int) -> int:
        """Returns the length to which a video is padded."""
        return -(-snippets // self.bucket_snippets) * self.bucket_snippets


@dataclass(eq=False, slots=True)
class _Batch:
    """Videos that are run together."""

    snippets: int
    videos: list[NDArray[np.float32]] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    cas_BTC: NDArray[np.float32] | None = None
    """What came of it; None if it failed."""


class Batches:
    """Takes one video from each of many threads; the first of a batch runs it for all."""

    def __init__(
        self,
        engine: OnnxEngine,
        config: BatchConfig,
        runs: int,
        observe: Callable[[int], None],
    ) -> None:
        """Puts videos together for an engine.

        Args:
            engine: runs them.
            config: how many, and for how long they wait.
            runs: batches that the engine runs at the same time.
            observe: is told how many videos each had.
        """
        self._engine = engine
        self._config = config
        self._observe = observe
        preferred = page_locked if engine.device == "cuda" else None
        self._buffers = Buffers(_KEPT_BYTES, preferred)
        self._open: dict[int, _Batch] = {}
        self._lock = threading.Lock()
        self._free = threading.Semaphore(runs)

    def cas(
        self, features_TD: NDArray[np.float32], run_options: RunOptions | None = None
    ) -> NDArray[np.float32]:
        """Returns the class activation sequence of one video, logits (T, C), as `OnnxEngine` does.

        `run_options` end no run that others wait for, too.

        Raises:
            EngineError: the network failed on this video, by itself.
        """
        batch, place = self._join(features_TD)
        if place == 0:
            self._lead(batch)
        batch.over.wait()
        if batch.cas_BTC is None:  # perhaps for another's sake, or for want of memory
            return self._engine.cas(features_TD, run_options)
        return batch.cas_BTC[place, : len(features_TD)]

    def _join(self, features_TD: NDArray[np.float32]) -> tuple[_Batch, int]:
        """Returns the batch that a video is in now, and its place there."""
        snippets = self._config.padded(len(features_TD))
        with self._lock:
            batch = self._open.get(snippets)
            if batch is None:
                batch = self._open[snippets] = _Batch(snippets)
            batch.videos.append(features_TD)
            if len(batch.videos) == self._config.max_videos:
                del self._open[snippets]
                batch.full.set()
            return batch, len(batch.videos) - 1

    def _lead(self, batch: _Batch) -> None:
        """Waits for others, then for the engine, and runs the batch."""
        try:
            batch.full.wait(self._config.delay_s)
            with self._free:
                with self._lock:
                    if self._open.get(batch.snippets) is batch:
                        del self._open[batch.snippets]
                self._observe(len(batch.videos))
                with contextlib.suppress(EngineError, MemoryError):  # then each is run alone
                    batch.cas_BTC = self._run(batch)
        finally:
            batch.over.set()

    def _run(self, batch: _Batch) -> NDArray[np.float32]:
        lengths_B = np.array([len(features_TD) for features_TD in batch.videos])
        if lengths_B.tolist() == [batch.snippets]:  # it lies there as it is to be
            return self._engine.cas_batch(batch.videos[0][None], lengths_B)
        shape = len(lengths_B), batch.snippets, self._engine.spec.feature_dim
        with self._buffers.lent(_FLOAT_BYTES * math.prod(shape)) as memory:
            features_BTD = np.frombuffer(memory, np.float32).reshape(shape)
            for padded_TD, features_TD in zip(features_BTD, batch.videos, strict=True):
                padded_TD[: len(features_TD)] = features_TD
                padded_TD[len(features_TD) :] = 0
            return self._engine.cas_batch(features_BTD, lengths_B)
