"""Runs of videos of like length are put together, as a GPU likes it.

Nobody waits for long: a batch is run when it is full, or its first video has waited for the delay,
as soon as the engine is free then. Until that moment others may join.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.engine import OnnxEngine
from model.spec import ModelSpec


@dataclass(frozen=True, slots=True)
class BatchConfig:
    """What is put together."""

    max_videos: int
    """Most videos of a batch."""
    delay_s: float
    """How long the first of them waits for others."""
    bucket_snippets: int
    """Videos are padded to a multiple of this, and those of one length are put together."""
    runs: int = 1
    """Batches that are run at the same time."""


@dataclass(eq=False, slots=True)
class _Batch:
    """Videos that are run together."""

    snippets: int
    videos: list[NDArray[np.float32]] = field(default_factory=list)
    full: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)
    cas_BTC: NDArray[np.float32] | None = None
    """What came of it; None if it failed."""


class BatchingEngine:
    """An engine that many threads ask for one video each; the first of a batch runs it for all."""

    def __init__(
        self, engine: OnnxEngine, config: BatchConfig, observe: Callable[[int], None]
    ) -> None:
        """Puts videos together for an engine.

        Args:
            engine: runs them.
            config: how many, and for how long they wait.
            observe: is told how many videos each run had.
        """
        self._engine = engine
        self._config = config
        self._observe = observe
        self._open: dict[int, _Batch] = {}
        self._lock = threading.Lock()
        self._free = threading.Semaphore(config.runs)

    @property
    def spec(self) -> ModelSpec:
        """What the network says of itself."""
        return self._engine.spec

    @property
    def device(self) -> Literal["cpu", "cuda"]:
        """Where it runs."""
        return self._engine.device

    def cas(
        self, features_TD: NDArray[np.float32], run_options: onnxruntime.RunOptions | None = None
    ) -> NDArray[np.float32]:
        """Returns the class activation sequence of one video, logits (T, C).

        `run_options` end no run that others wait for, too.
        """
        batch, place = self._join(features_TD)
        if place == 0:
            self._lead(batch)
        batch.over.wait()
        if batch.cas_BTC is None:  # perhaps for another's sake, or for want of memory
            return self._engine.cas(features_TD, run_options)
        return batch.cas_BTC[place, : len(features_TD)]

    def cas_batch(
        self,
        features_BTD: NDArray[np.float32],
        lengths_B: NDArray[np.int64],
        run_options: onnxruntime.RunOptions | None = None,
    ) -> NDArray[np.float32]:
        """Returns the class activation sequences of videos that come together already."""
        return self._engine.cas_batch(features_BTD, lengths_B, run_options)

    def _join(self, features_TD: NDArray[np.float32]) -> tuple[_Batch, int]:
        """Returns the batch that a video is in now, and its place there."""
        bucket = self._config.bucket_snippets
        snippets = -(-len(features_TD) // bucket) * bucket
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
                batch.cas_BTC = self._run(batch)
                self._observe(len(batch.videos))
        except Exception:
            batch.cas_BTC = None  # each tries alone, and is told what is wrong with it
        finally:
            batch.over.set()

    def _run(self, batch: _Batch) -> NDArray[np.float32]:
        lengths_B = np.array([len(features_TD) for features_TD in batch.videos])
        features_BTD = np.zeros(
            (len(batch.videos), batch.snippets, self.spec.feature_dim), dtype=np.float32
        )
        for padded_TD, features_TD in zip(features_BTD, batch.videos, strict=True):
            padded_TD[: len(features_TD)] = features_TD
        return self._engine.cas_batch(features_BTD, lengths_B)
