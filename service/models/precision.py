"""Choice of the precision in which a CPU serves a version: the faster of float32 and int8.

Axes: T snippets, D feature channels.
"""

import logging
from dataclasses import dataclass
from time import perf_counter
from typing import Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.errors import ModelError
from model.inference.engine import EngineConfig, OnnxEngine
from model.repository import INT8_FILE, PublishedModel

PrecisionSetting: TypeAlias = Literal["auto", "fp32", "int8"]

_RACE_S: Final = 0.5
"""Time for the race of both precisions."""
_LEAST_GAIN: Final = 1.1
"""Least speed of int8 relative to float32 for which it is served."""
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ChosenEngine:
    """Engine of a version, and why its precision was chosen."""

    engine: OnnxEngine
    reason: str
    """Reason for the precision, a part of a sentence."""


def open_engine(
    published: PublishedModel, content: bytes, config: EngineConfig, precision: PrecisionSetting
) -> ChosenEngine:
    """Returns the engine of a version in the precision that is set, or in the faster one.

    Args:
        published: the version.
        content: bytes of its model file.
        config: device and threads.
        precision: `fp32` for the model file, `int8` for the file in int8, `auto` for the faster.

    Raises:
        LocalizerError: raised by `OnnxEngine`.
        ModelError: int8 is set, and its file is absent or cannot be used.
    """
    if precision == "fp32":
        return ChosenEngine(OnnxEngine(content, config), "it is set")
    if precision == "int8":
        return ChosenEngine(_open_int8(published, config), "it is set")
    engine = OnnxEngine(content, config)
    if engine.device != "cpu" or not published.int8.path.exists():
        return ChosenEngine(engine, "there is no other")
    try:
        int8 = _open_int8(published, config)
        _require_same_model(engine, int8)
    except ModelError as error:
        reason = f"{INT8_FILE} cannot be used: {error}"
        _log.warning("model %s/%d: %s", published.name, published.version, reason)
        return ChosenEngine(engine, reason)
    gain = _race(engine, int8)
    chosen = int8 if gain >= _LEAST_GAIN else engine
    return ChosenEngine(chosen, f"int8 took 1/{gain:.1f} of the time of float32 in a race")


def _open_int8(published: PublishedModel, config: EngineConfig) -> OnnxEngine:
    if config.require_cuda:
        raise ModelError("int8 is for CPUs, but CUDA is required; set precision auto or fp32")
    if not published.int8.path.exists():
        raise ModelError(f"expected {INT8_FILE} beside the model file; export it with --int8")
    content, _ = published.int8.read()
    return OnnxEngine(content, EngineConfig("cpu", threads=config.threads))


def _require_same_model(one: OnnxEngine, other: OnnxEngine) -> None:
    same = [(engine.spec.labels, engine.spec.feature_dim, engine.spec.provenance)
            for engine in (one, other)]  # fmt: skip
    if same[0] != same[1]:
        raise ModelError("it is of another network than the model file; export both together")


def _race(exact: OnnxEngine, int8: OnnxEngine) -> float:
    """Returns how many times as fast int8 is; both run in turn, and the best time of each counts.

    A busy machine slows both, so a wrong choice is one between two nearly equal speeds.
    """
    snippets = min(exact.spec.snippets, 1000)
    shape = (snippets, exact.spec.feature_dim)
    features_TD = np.random.default_rng(0).random(shape, dtype=np.float32)
    engines = (exact, int8)
    for engine in engines:
        engine.cas(features_TD)
    best_s = [float("inf")] * len(engines)
    end_s = perf_counter() + _RACE_S
    while True:
        for number, engine in enumerate(engines):
            best_s[number] = min(best_s[number], _time_s(engine, features_TD))
        if perf_counter() >= end_s:
            return best_s[0] / best_s[1]


def _time_s(engine: OnnxEngine, features_TD: NDArray[np.float32]) -> float:
    start_s = perf_counter()
    engine.cas(features_TD)
    return perf_counter() - start_s
