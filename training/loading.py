"""Brings the training videos to the network, prepared while it computes.

Axes: V videos, B videos of a portion, T snippets, D feature channels.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from tqdm import tqdm

from model.arrays import check_features
from model.errors import DataError
from model.snippets import resample, sample_one_per_bin
from training.datasets.video_record import VideoRecord
from training.execution import Execution
from training.parallel import World
from training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Portion:
    """What one process computes at once of one step."""

    epoch: int
    """Counted from 0."""
    videos: NDArray[np.intp]
    """Indices of its videos."""
    keys_B: NDArray[np.int32]
    """Choose what dropout drops in each video."""
    weight: float
    """Share of the step's videos; 0 for one that only keeps a process in step with the others."""
    ends_step: bool
    """Whether the weights are updated after it."""


def portions(
    epoch: int, videos: int, recipe: Recipe, execution: Execution, world: World
) -> Iterator[Portion]:
    """Yields this process's portions of an epoch, in which every video comes once.

    Order and dropout follow from seed and epoch alone, however many processes share a step.
    """
    rng = np.random.default_rng([recipe.seed, epoch])
    order = rng.permutation(videos)
    keys_V = rng.integers(-(2**31), 2**31, size=videos, dtype=np.int32)
    for first in range(0, videos, recipe.batch_size):
        step = order[first : first + recipe.batch_size]
        own = step[world.rank :: world.size]
        size = execution.micro_batch_size or recipe.batch_size
        parts = [own[i : i + size] for i in range(0, len(own), size)]
        for part in parts or [step[:1]]:
            weight = len(part) / len(step) if parts else 0.0
            ends = not parts or part is parts[-1]
            yield Portion(epoch, part, keys_V[part], weight, ends)


def steps_per_epoch(videos: int, recipe: Recipe) -> int:
    """Returns how often the weights are updated in an epoch."""
    return -(-videos // recipe.batch_size)


class TrainingFeatures:
    """The features of the training videos, from memory where they fit, else from disk."""

    def __init__(
        self,
        videos: Sequence[VideoRecord],
        recipe: Recipe,
        execution: Execution,
        *,
        feature_dim: int,
        snippets: int,
    ) -> None:
        """Reads them, if they fit.

        Args:
            videos: to learn from.
            recipe: how they are sampled.
            execution: how much memory they may take.
            feature_dim: channels that each is to have.
            snippets: length to which each is brought.
        """
        self._videos = videos
        self._recipe = recipe
        self._threads = execution.loader_threads
        self._feature_dim = feature_dim
        self._snippets = snippets
        self._held: list[NDArray[np.float32]] | None = None
        if self._size_gib() <= execution.feature_memory_gib:
            bar = tqdm(videos, desc="reading features", unit="video", disable=None, leave=False)
            self._held = [self._at_rest(self.native(video)) for video in bar]

    def _size_gib(self) -> float:
        values = 0
        for video in self._videos:
            snippets = video.features().shape[0]
            values += self._snippets if self._is_resampled else snippets
        return values * self._feature_dim * np.dtype(np.float32).itemsize / 2**30

    @property
    def in_memory(self) -> bool:
        """Whether all are held."""
        return self._held is not None

    @property
    def _is_resampled(self) -> bool:
        return self._recipe.training_sampling == "linear"

    def native(self, video: VideoRecord) -> NDArray[np.float32]:
        """Returns the features of a video as they lie on disk, (T, D), checked.

        Raises:
            DataError: they cannot be used; the message names the video.
        """
        try:
            return check_features(video.features(), feature_dim=self._feature_dim)
        except ValueError as error:
            raise DataError(f"video {video.id}: {error}") from error

    def _at_rest(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns all of the preparation that is the same in every epoch."""
        return resample(features_TD, self._snippets) if self._is_resampled else features_TD

    def _sample(self, index: int, epoch: int) -> NDArray[np.float32]:
        held = self._held
        features_TD = held[index] if held else self._at_rest(self.native(self._videos[index]))
        if self._is_resampled:
            return features_TD
        rng = np.random.default_rng([self._recipe.seed, epoch, index])
        return features_TD[sample_one_per_bin(len(features_TD), self._snippets, rng)]

    def load(self, portion: Portion) -> Tensor:
        """Returns a portion's features at the training length, (B, T, D)."""
        samples = [self._sample(int(index), portion.epoch) for index in portion.videos]
        features_BTD = torch.from_numpy(np.stack(samples))
        return features_BTD.pin_memory() if torch.cuda.is_available() else features_BTD

    def prefetched(self, of: Iterable[Portion]) -> Iterator[tuple[Portion, Tensor]]:
        """Yields each portion with its features, some of them loaded ahead.

        Threads do, since reading files and numpy leave the interpreter free; worker processes
        would pass features through /dev/shm, of which containers have 64 MB.
        """
        waiting: deque[tuple[Portion, Future[Tensor]]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for portion in of:
                waiting.append((portion, pool.submit(self.load, portion)))
                if len(waiting) > self._threads:
                    ready, features = waiting.popleft()
                    yield ready, features.result()
            for ready, features in waiting:
                yield ready, features.result()
