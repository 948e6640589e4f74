"""A network as requests use it: warmed up, and watched, since one that is dead may not be asked."""

import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from model.engine import EngineConfig, OnnxEngine
from model.errors import EngineError
from model.repository import PublishedModel
from service.errors import ModelUnavailableError

_log = logging.getLogger(__name__)


class ServedEngine:
    """Runs one version of a model, as `OnnxEngine` does, and finds out when it cannot any more."""

    def __init__(
        self,
        published: PublishedModel,
        content: bytes,
        config: EngineConfig,
        warm_snippets: Sequence[int] = (),
    ) -> None:
        """Loads the network, and runs it once on every length that is to be fast from the start.

        Args:
            published: its place in the repository.
            content: the bytes of its file.
            config: how it runs.
            warm_snippets: the lengths; that of the model's training if none are given.

        Raises:
            LocalizerError: as `OnnxEngine` does.
        """
        start = perf_counter()
        self.published = published
        self._engine = OnnxEngine(content, config)
        self.spec, self.device = self._engine.spec, self._engine.device
        loaded = perf_counter()
        lengths = tuple(warm_snippets) or (self.spec.snippets,)
        self._proof_snippets = lengths[0]
        for snippets in lengths:
            self._run_on_zeros(snippets)
        self.load_s = loaded - start
        self.warm_up_s = perf_counter() - loaded
        self.failure: str | None = None
        """Why it cannot be run any more; None as long as it can."""
        self._examining = threading.Lock()

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the class activation sequence of one video, logits (T, C).

        Raises:
            EngineError: the network failed on this video, and can be run on others.
            ModelUnavailableError: it failed on any.
        """
        with self._watched():
            return self._engine.cas(features_TD)

    def cas_batch(
        self, features_BTD: NDArray[np.float32], lengths_B: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Returns the logits (B, T, C) of videos padded to one length, as `OnnxEngine` does.

        Raises:
            EngineError, ModelUnavailableError: as `cas`.
        """
        with self._watched():
            return self._engine.cas_batch(features_BTD, lengths_B)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        try:
            yield
        except EngineError as error:
            published = self.published
            _log.error("model %s/%d: %s", published.name, published.version, error.__cause__)
            if self._is_dead():
                raise ModelUnavailableError(
                    f"model {published.name!r} version {published.version} is not served: "
                    f"{self.failure}"
                ) from error
            raise

    def _is_dead(self) -> bool:
        """Returns whether the network fails on what it once could be run on, too."""
        with self._examining:
            if self.failure is None:
                try:
                    self._run_on_zeros(self._proof_snippets)
                except EngineError:
                    self.failure = "its network cannot be run any more; the log says why"
            return self.failure is not None

    def _run_on_zeros(self, snippets: int) -> None:
        self._engine.cas(np.zeros((snippets, self.spec.feature_dim), np.float32))
