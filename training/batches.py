"""Micro-batches of training videos, loaded while the network computes.

A step updates the weights after `batch_size` videos. Each process computes its share of a step in
one or several micro-batches.

Axes: V training videos, B videos of a micro-batch, T snippets, D feature channels, C classes,
X any of the latter.
"""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from model.snippets import resample, sample_one_per_bin
from model.spec import ModelSpec
from training.configuration.execution import Execution
from training.configuration.recipe import Recipe
from training.datasets.video_record import VideoRecord
from training.parallel import ProcessGroup
from training.snippet_targets import snippet_targets


@dataclass(frozen=True, slots=True)
class MicroBatch:
    """The videos of a step that one process computes at once."""

    epoch: int
    """Epoch, counted from 0."""
    video_B: NDArray[np.intp]
    """Indices of the videos."""
    key_B: NDArray[np.int32]
    """Random keys that determine dropout, one for each video."""
    weight: float
    """Share of the step's videos. 0 marks a dummy that keeps this process in step with others."""
    ends_step: bool
    """Whether the weights are updated after this micro-batch."""


def micro_batches(
    epoch: int, videos: int, recipe: Recipe, execution: Execution, group: ProcessGroup
) -> Iterator[MicroBatch]:
    """Yields the micro-batches of this process in an epoch. Every video comes once.

    Order and dropout depend on seed and epoch alone, not on the number of processes. For
    instance, rank 0 of 2 takes videos 0 and 2 of a step of 4, in micro-batches of weight 1/4 if
    their size is 1.
    """
    rng = np.random.default_rng([recipe.seed, epoch])
    order_V = rng.permutation(videos)
    key_V = rng.integers(-(2**31), 2**31, size=videos, dtype=np.int32)
    size = execution.micro_batch_size or recipe.batch_size
    for first in range(0, videos, recipe.batch_size):
        step = order_V[first : first + recipe.batch_size]
        own = step[group.rank :: group.size]
        parts = [own[i : i + size] for i in range(0, len(own), size)]
        for video_B in parts or [step[:1]]:
            weight = len(video_B) / len(step) if parts else 0.0
            ends_step = not parts or video_B is parts[-1]
            yield MicroBatch(epoch, video_B, key_V[video_B], weight, ends_step)


def steps_per_epoch(videos: int, recipe: Recipe) -> int:
    """Returns the number of weight updates in an epoch."""
    return -(-videos // recipe.batch_size)


@dataclass(frozen=True, slots=True)
class Samples:
    """Inputs of a micro-batch, apart from its tags."""

    features_BTD: Tensor
    """Features at the training length."""
    target_BTC: Tensor | None
    """Targets of the snippets, NaN where unknown; None where segments are not learned from."""


class TrainingFeatures:
    """Features of the training videos, kept in memory where they fit, else read from disk."""

    def __init__(
        self,
        videos: Sequence[VideoRecord],
        recipe: Recipe,
        execution: Execution,
        spec: ModelSpec,
    ) -> None:
        """Reads all features, if they fit into memory.

        Args:
            videos: Videos to learn from.
            recipe: How videos are sampled.
            execution: Memory that the features may take, and loader threads.
            spec: Spec of the network: its channels, its classes, and the length of every sample.
        """
        self._videos = videos
        self._recipe = recipe
        self._threads = execution.loader_threads
        self._feature_dim = spec.feature_dim
        self._classes = spec.labels
        self._snippets = spec.snippets
        self._snippet_counts = [
            len(video.features_as_stored()) for video in videos if recipe.segments == "use"
        ]
        self._in_memory: list[NDArray[np.float32]] | None = None
        if self._size_gib() <= execution.feature_memory_gib:
            bar = tqdm(videos, desc="reading features", unit="video", disable=None, leave=False)
            self._in_memory = [self._prepared(self._native(video)) for video in bar]

    def _size_gib(self) -> float:
        rows = sum(
            self._snippets if self._is_resampled else len(video.features_as_stored())
            for video in self._videos
        )
        return rows * self._feature_dim * np.dtype(np.float32).itemsize / 2**30

    @property
    def in_memory(self) -> bool:
        """Whether all features are in memory."""
        return self._in_memory is not None

    @property
    def _is_resampled(self) -> bool:
        return self._recipe.training_sampling == "linear"

    def _native(self, video: VideoRecord) -> NDArray[np.float32]:
        return video.features(feature_dim=self._feature_dim)

    def _prepared(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Applies the part of sampling that is the same in every epoch."""
        return resample(features_TD, self._snippets) if self._is_resampled else features_TD

    def _sample(self, index: int, epoch: int) -> NDArray[np.float32]:
        if self._in_memory:
            features_TD = self._in_memory[index]
        else:
            features_TD = self._prepared(self._native(self._videos[index]))
        return self._drawn(features_TD, index, epoch)

    def _drawn(self, values_TX: NDArray[np.float32], index: int, epoch: int) -> NDArray[np.float32]:
        """Applies the part of sampling that differs between epochs."""
        if self._is_resampled:
            return values_TX
        rng = np.random.default_rng([self._recipe.seed, epoch, index])
        return values_TX[sample_one_per_bin(len(values_TX), self._snippets, rng)]

    def _targets(self, index: int, epoch: int) -> NDArray[np.float32]:
        """Returns the targets of a video's snippets, sampled as its features are."""
        target_TC = snippet_targets(
            self._videos[index],
            self._classes,
            snippets=self._snippet_counts[index],
            ring=self._recipe.objective.segment_ring,
        )
        return self._drawn(self._prepared(target_TC), index, epoch)

    def load(self, batch: MicroBatch) -> Samples:
        """Returns features and targets of a micro-batch at the training length."""
        features_BTD = self._stacked(self._sample, batch)
        uses_segments = self._recipe.segments == "use"
        return Samples(features_BTD, self._stacked(self._targets, batch) if uses_segments else None)

    @staticmethod
    def _stacked(sample: Callable[[int, int], NDArray[np.float32]], batch: MicroBatch) -> Tensor:
        values_BTX = torch.from_numpy(
            np.stack([sample(int(index), batch.epoch) for index in batch.video_B])
        )
        return values_BTX.pin_memory() if torch.cuda.is_available() else values_BTX

    def prefetched(self, batches: Iterable[MicroBatch]) -> Iterator[tuple[MicroBatch, Samples]]:
        """Yields each micro-batch with its samples, loading a few ahead in threads.

        Threads suffice because file reads and numpy release the interpreter lock. Worker processes
        would pass features through /dev/shm, which has 64 MB in a container.
        """
        waiting: deque[tuple[MicroBatch, Future[Samples]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for batch in batches:
                waiting.append((batch, pool.submit(self.load, batch)))
                if len(waiting) > self._threads:
                    ready, samples = waiting.popleft()
                    yield ready, samples.result()
            for ready, samples in waiting:
                yield ready, samples.result()
