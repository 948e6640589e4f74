"""Runs videos of similar length in batches, because a GPU is faster on batches.

A batch runs when it is full, or when its first video has waited for `delay_s`, as soon as the
engine is free. Until then, videos may join it.

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

from model.errors import EngineError
from model.inference.engine import OnnxEngine
from model.validation import check_ranges
from service.http.buffers import Buffers
from service.models.page_locked import page_locked

_KEPT_BYTES = 128 * 1024 * 1024
"""Memory kept for the next batch: enough for 16 videos of 750 snippets with 2048 channels."""
_FLOAT_BYTES = np.dtype(np.float32).itemsize


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """Limits of a batch."""

    max_videos: int = 1
    """Most videos in a batch."""
    delay_s: float = 0.0
    """Time that the first video of a batch waits for others."""
    bucket_snippets: int = 1
    """Videos are padded to a multiple of this; videos of the same padded length share a batch."""

    def __post_init__(self) -> None:
        check_ranges(self, max_videos="[1, inf)", delay_s="[0, inf)", bucket_snippets="[1, inf)")

    def padded(self, snippets: int) -> int:
        """Returns the padded length of a video."""
        return -(-snippets // self.bucket_snippets) * self.bucket_snippets


@dataclass(eq=False, slots=True)
class _Batch:
    """Videos that run together."""

    snippets: int
    videos: list[NDArray[np.float32]] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
    finished: threading.Event = field(default_factory=threading.Event)
    cas_BTC: NDArray[np.float32] | None = None
    """Logits of the whole batch; None if the run failed."""


class Batches:
    """Collects one video from each of many threads; the first thread of a batch runs it for all."""

    def __init__(
        self,
        engine: OnnxEngine,
        config: BatchConfig,
        runs: int,
        observe: Callable[[int], None],
    ) -> None:
        """Prepares batches for an engine.

        Args:
            engine: runs the batches.
            config: limits of a batch.
            runs: batches that the engine runs at the same time.
            observe: called with the number of videos of each batch.
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

        `run_options` terminate only a run of this video alone, never a batch.

        Raises:
            EngineError: the network failed on this video alone.
        """
        batch, index = self._join(features_TD)
        if index == 0:
            self._run_when_ready(batch)
        batch.finished.wait()
        if batch.cas_BTC is None:  # another video may be the cause, or a lack of memory
            return self._engine.cas(features_TD, run_options)
        return batch.cas_BTC[index, : len(features_TD)]

    def _join(self, features_TD: NDArray[np.float32]) -> tuple[_Batch, int]:
        """Returns the batch that a video has joined, and its index in the batch."""
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

    def _run_when_ready(self, batch: _Batch) -> None:
        """Waits for other videos, then for the engine, and runs the batch."""
        try:
            batch.full.wait(self._config.delay_s)
            with self._free:
                with self._lock:
                    if self._open.get(batch.snippets) is batch:
                        del self._open[batch.snippets]
                self._observe(len(batch.videos))
                with contextlib.suppress(EngineError, MemoryError):  # each video then runs alone
                    batch.cas_BTC = self._run(batch)
        finally:
            batch.finished.set()

    def _run(self, batch: _Batch) -> NDArray[np.float32]:
        lengths_B = np.array([len(features_TD) for features_TD in batch.videos])
        if lengths_B.tolist() == [batch.snippets]:  # one video without padding needs no copy
            return self._engine.cas_batch(batch.videos[0][None], lengths_B)
        shape = len(lengths_B), batch.snippets, self._engine.spec.feature_dim
        with self._buffers.lent(_FLOAT_BYTES * math.prod(shape)) as memory:
            features_BTD = np.frombuffer(memory, np.float32).reshape(shape)
            for padded_TD, features_TD in zip(features_BTD, batch.videos, strict=True):
                padded_TD[: len(features_TD)] = features_TD
                padded_TD[len(features_TD) :] = 0
            return self._engine.cas_batch(features_BTD, lengths_B)
