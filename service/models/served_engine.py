"""Network as requests use it: warmed up, batched, and marked as failed when it stops working."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from time import perf_counter
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnxruntime import RunOptions

from model.errors import EngineError, EngineMemoryError, ModelError
from model.inference.engine import EngineConfig
from model.repository import PublishedModel
from service.errors import ModelUnavailableError, OutOfMemoryError
from service.models.batching import BatchConfig, Batches
from service.models.precision import PrecisionSetting, open_engine

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ServingConfig:
    """Devices, threads and batches of all networks."""

    engine: EngineConfig = field(default_factory=EngineConfig)
    """Devices and threads."""
    warm_snippets: tuple[int, ...] = ()
    """Numbers of snippets to warm up; those of each model's training if empty."""
    batch: BatchConfig | None = None
    """Limits of a batch; those of `DEFAULT_BATCHES` if None."""
    observe: Callable[[int], None] = lambda _: None
    """Called with the number of videos of each batch."""
    precision: PrecisionSetting = "auto"
    """Precision on a CPU; `auto` for the faster one of those that a version has."""


_LONGEST_WARM_UP: Final = 10_000
"""Most snippets of a warm-up that a spec asks for; a long one would take all memory."""
DEFAULT_BATCHES: Final = {"cpu": BatchConfig(), "cuda": BatchConfig(16, 0.002, 64)}
"""On a CPU one video at a time is as fast as a batch, and does not wait."""


class ServedEngine:
    """Runs one version of a model, as `OnnxEngine` does, and detects when it stops working."""

    def __init__(self, published: PublishedModel, content: bytes, config: ServingConfig) -> None:
        """Loads the network and warms it up on every length of `config.warm_snippets`.

        Args:
            published: model file in the repository.
            content: bytes of the file.
            config: device, threads and batches.

        Raises:
            LocalizerError: raised by `OnnxEngine`.
            ModelError: the output has another shape or type than expected, or is not finite.
        """
        start = perf_counter()
        self.published = published
        chosen = open_engine(published, content, config.engine, config.precision)
        self._engine = engine = chosen.engine
        self.precision_reason = chosen.reason
        """Reason why the network runs in the precision of its spec."""
        self.spec, self.device = engine.spec, engine.device
        batch, instances = config.batch or DEFAULT_BATCHES[self.device], config.engine.instances
        self._batches = None
        if batch.max_videos > 1:
            self._batches = Batches(engine, batch, instances, config.observe)
        loaded = perf_counter()
        lengths = config.warm_snippets or (min(self.spec.snippets, _LONGEST_WARM_UP),)
        self._proof_snippets = batch.padded(lengths[0])
        for snippets in lengths:
            for videos in {1, batch.max_videos}:
                for _ in range(instances):  # the sessions take turns
                    self._warm_up(videos, batch.padded(snippets))
        self.load_s = loaded - start
        self.warm_up_s = perf_counter() - loaded
        self.failure: str | None = None
        """Reason why the network stopped working; None while it works."""
        self._examining = threading.Lock()

    def cas(
        self, features_TD: NDArray[np.float32], run_options: RunOptions | None = None
    ) -> NDArray[np.float32]:
        """Returns the class activation sequence of one video, logits (T, C).

        Raises:
            OutOfMemoryError: there is not enough free memory for this video.
            EngineError: the network failed on this video but works on others.
            ModelUnavailableError: the network stopped working.
        """
        with self._watched(run_options):
            return (self._batches or self._engine).cas(features_TD, run_options)

    def cas_batch(
        self,
        features_BTD: NDArray[np.float32],
        lengths_B: NDArray[np.int64],
        run_options: RunOptions | None = None,
    ) -> NDArray[np.float32]:
        """Returns the logits (B, T, C) of videos padded to one length, as `OnnxEngine` does.

        Raises:
            OutOfMemoryError, EngineError, ModelUnavailableError: raised as by `cas`.
        """
        if self._batches and len(features_BTD) == 1:  # a single video may join a batch
            cas_BTC = np.zeros((*features_BTD.shape[:2], len(self.spec.labels)), np.float32)
            cas_BTC[0, : lengths_B[0]] = self.cas(features_BTD[0, : lengths_B[0]], run_options)
            return cas_BTC
        with self._watched(run_options):
            return self._engine.cas_batch(features_BTD, lengths_B, run_options)

    @contextmanager
    def _watched(self, run_options: RunOptions | None) -> Iterator[None]:
        try:
            yield
        except EngineError as error:
            if run_options and run_options.terminate:  # the run was terminated on purpose
                raise
            published = self.published
            _log.error("model %s/%d: %s", published.name, published.version, error.__cause__)
            if isinstance(error, EngineMemoryError):  # a second run would need memory, too
                raise OutOfMemoryError(
                    f"{error}; send fewer snippets, or try again when fewer requests run"
                ) from error
            if self._has_failed():
                raise ModelUnavailableError(
                    f"model {published.name!r} version {published.version} is not served: "
                    f"{self.failure}"
                ) from error
            raise

    def _has_failed(self) -> bool:
        """Returns whether the network fails even on an input that worked before."""
        with self._examining:
            if self.failure is None:
                try:
                    self._run_on_zeros(1, self._proof_snippets)
                except EngineError:
                    self.failure = "its network stopped working; the log has the reason"
            return self.failure is not None

    def _warm_up(self, videos: int, snippets: int) -> None:
        """Runs the network and checks what it returns.

        Raises:
            ModelError: the output has another shape or type than expected, or is not finite.
        """
        cas_BTC = self._run_on_zeros(videos, snippets)
        expected = (videos, snippets, len(self.spec.labels))
        if cas_BTC.shape != expected or cas_BTC.dtype != np.float32:
            raise ModelError(
                f"expected the output of the network as float32 of shape {expected}, got "
                f"{cas_BTC.dtype} of shape {cas_BTC.shape}; export the model again"
            )
        if not np.isfinite(cas_BTC).all():
            raise ModelError(
                "the network returns NaN or infinite values on zeros; train and export it again"
            )

    def _run_on_zeros(self, videos: int, snippets: int) -> NDArray[np.generic]:
        features_BTD = np.zeros((videos, snippets, self.spec.feature_dim), np.float32)
        return self._engine.cas_batch(features_BTD, np.full(videos, snippets))
