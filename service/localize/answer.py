"""Localizes actions in features and writes the JSON of the answer. Runs in a worker thread."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from time import perf_counter
from typing import TypeAlias

import numpy as np
import orjson
from numpy.typing import NDArray

from ecm_client.schemas import LocalizeOptions
from model.options import localization_config
from model.predict import VideoPrediction, predict_from_cas, predict_video
from service.errors import ActivationGoneError
from service.localize.activations import Activation, ActivationFacts
from service.localize.stop import Stop
from service.models.catalog import Catalog, CatalogEntry
from service.models.served_engine import ServedEngine


@dataclass(frozen=True, slots=True)
class LocalizedAnswer:
    """Answer to a request for localization."""

    content: bytes
    """JSON body."""
    model: str
    """NAME/VERSION of the model."""
    snippets: int
    """Number of snippets in the video."""
    segments: int
    """Number of segments found."""
    duration_s: float
    """Length of the video in seconds."""
    stages_s: Mapping[str, float]
    """Time of each stage by name."""


Keep: TypeAlias = Callable[[Activation], str | None]
"""Keeps the output of the network, and returns the id under which it is kept."""


class _TimedEngine:
    """Measures the time of the network and runs it until a stop."""

    def __init__(self, engine: ServedEngine, stop: Stop) -> None:
        self._engine = engine
        self._stop = stop
        self.elapsed_s = 0.0

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the class activation sequence, logits (T, C)."""
        start = perf_counter()
        try:
            return self._stop.run(partial(self._engine.cas, features_TD))
        finally:
            self.elapsed_s += perf_counter() - start


def localize_features(
    features_TD: NDArray[np.float32],
    options: LocalizeOptions,
    entry: CatalogEntry,
    duration_s: float,
    *,
    before: Mapping[str, float],
    max_segments: int,
    keep: Keep | None = None,
    stop: Stop | None = None,
) -> LocalizedAnswer:
    """Returns the answer for features.

    Args:
        features_TD: checked features.
        options: options of the request.
        entry: loaded model.
        duration_s: duration of the features.
        before: seconds of earlier stages by name.
        max_segments: most segments, whatever the options ask for.
        keep: keeps the output of the network; None to keep nothing.
        stop: ends the computation early when set.

    Raises:
        FeatureError: the features are so large that the network overflows.
    """
    assert entry.engine is not None
    spec = entry.spec
    stop = stop or Stop()
    engine = _TimedEngine(entry.engine, stop)
    start = perf_counter()
    video = predict_video(
        engine,
        features_TD,
        spec,
        duration_s=duration_s,
        config=localization_config(options, spec.localization, most_segments=max_segments),
        check=stop.check,
    )
    elapsed_s = perf_counter() - start
    stages_s = {
        **before,
        "inference": engine.elapsed_s,
        "localization": elapsed_s - engine.elapsed_s,
    }
    activation = keep(_activation(video, entry)) if keep else None
    return _answer(video, options, entry, stages_s, activation)


def localize_again(
    activation: Activation,
    id_: str,
    options: LocalizeOptions,
    catalog: Catalog,
    *,
    max_segments: int,
    stop: Stop,
) -> LocalizedAnswer:
    """Returns the answer that other options give, without running the network.

    Args:
        activation: output of the network.
        id_: id under which it is kept.
        options: options of localization; others have no effect.
        catalog: served models.
        max_segments: most segments, whatever the options ask for.
        stop: ends the computation early when set.

    Raises:
        ActivationGoneError: the model file has changed.
        ServiceError: raised by `Catalog.find`.
    """
    entry, facts = model_of(activation, catalog), activation.facts
    start = perf_counter()
    video = predict_from_cas(
        activation.cas_TC,
        entry.spec,
        duration_s=facts.duration_s,
        likeness=facts.likeness,
        config=localization_config(options, entry.spec.localization, most_segments=max_segments),
        check=stop.check,
    )
    stages_s = {"localization": perf_counter() - start}
    return _answer(video, options, entry, stages_s, id_)


def model_of(activation: Activation, catalog: Catalog) -> CatalogEntry:
    """Returns the model that computed an activation.

    Raises:
        ActivationGoneError: the model file has changed.
        ServiceError: raised by `Catalog.find_pinned`.
    """
    facts = activation.facts
    entry = catalog.find_pinned(facts.model, facts.version)
    if entry.sha256 != facts.model_sha256:
        raise ActivationGoneError("the model has changed since; localize the video again")
    return entry


def _activation(video: VideoPrediction, entry: CatalogEntry) -> Activation:
    published = entry.published
    facts = ActivationFacts(
        published.name,
        published.version,
        entry.sha256,
        video.duration_s,
        video.likeness,
    )
    return Activation(video.cas_TC, facts)


def _answer(
    video: VideoPrediction,
    options: LocalizeOptions,
    entry: CatalogEntry,
    stages_s: Mapping[str, float],
    activation: str | None,
) -> LocalizedAnswer:
    return LocalizedAnswer(
        _to_json(video, options, entry, stages_s, activation),
        entry.name,
        len(video.cas_TC),
        len(video.segments),
        video.duration_s,
        stages_s,
    )


def _to_json(
    video: VideoPrediction,
    options: LocalizeOptions,
    entry: CatalogEntry,
    stages_s: Mapping[str, float],
    activation: str | None,
) -> bytes:
    """Returns the JSON of a LocalizeResponse, or of the requested format.

    It is not validated against its schema here, because that would take as long as the
    localization. A test validates it.
    """
    if options.format == "activitynet":
        return orjson.dumps(_activitynet(video, options))
    labels, scores_C = entry.spec.labels, video.class_scores_C
    timing_s = {**stages_s, "total": sum(stages_s.values())}
    response: dict[str, object] = {
        "model": {"name": entry.published.name, "version": entry.published.version},
        "duration_s": video.duration_s,
        "snippets": len(video.cas_TC),
        "classes": [
            {"label": labels[index], "score": scores_C[index]}
            for index in np.argsort(-scores_C, kind="stable")
        ],
        "segments": [
            {"label": label, "start_s": start_s, "end_s": end_s, "score": score}
            for start_s, end_s, label, score in video.segments
        ],
        "truncated": video.truncated,
        "familiarity": video.familiarity,
        "notes": video.notes,
        "activation": activation,
        "timing_ms": {name: round(1e3 * seconds, 3) for name, seconds in timing_s.items()},
    }
    if options.include == "cas":
        response["cas"] = {"labels": labels, "logits": np.ascontiguousarray(video.cas_TC)}
    return orjson.dumps(response, option=orjson.OPT_SERIALIZE_NUMPY)


def _activitynet(video: VideoPrediction, options: LocalizeOptions) -> dict[str, object]:
    """Returns an ActivityNetResponse."""
    segments = [
        {"label": label, "score": score, "segment": (start_s, end_s)}
        for start_s, end_s, label, score in video.segments
    ]
    return {
        "version": "ecm-localizer",
        "results": {options.video_id: segments},
        "external_data": {"truncated": True} if video.truncated else {},
    }
