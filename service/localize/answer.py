"""What POST /localize does once the body is there. Runs in a worker thread."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from time import perf_counter

import numpy as np
import orjson
from numpy.typing import NDArray

from ecm_client.schemas import LocalizeOptions
from model.errors import InputError
from model.localize import LocalizationConfig
from model.predict import VideoPrediction, predict_video
from model.snippets import SnippetClock
from model.spec import ModelSpec
from service.localize.stop import Stop
from service.models.catalog import CatalogEntry
from service.models.served_engine import ServedEngine


@dataclass(frozen=True, slots=True)
class LocalizedAnswer:
    """What was found in a video."""

    content: bytes
    """The JSON that says it."""
    model: str
    """NAME/VERSION."""
    snippets: int
    """Of the video."""
    segments: int
    """How many were found."""
    stages_s: Mapping[str, float]
    """How long each stage took."""


class _TimedEngine:
    """Measures how long the network runs, and lets it be stopped."""

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
    stop: Stop | None = None,
) -> LocalizedAnswer:
    """Returns what was found, and the JSON that says it.

    Args:
        features_TD: checked features.
        options: of the request.
        entry: a model that was loaded.
        duration_s: how long the features last.
        before: seconds that was spent on them so far, by what for.
        stop: ends it before its time.

    Raises:
        FeatureError: they are so large that the network overflows.
    """
    assert entry.engine is not None
    spec = entry.spec
    engine = _TimedEngine(entry.engine, stop or Stop())
    start = perf_counter()
    found = predict_video(
        engine,
        features_TD,
        spec,
        duration_s=duration_s,
        config=localization(options, spec.localization),
    )
    elapsed_s = perf_counter() - start
    stages_s = {
        **before,
        "inference": engine.elapsed_s,
        "localization": elapsed_s - engine.elapsed_s,
    }
    return LocalizedAnswer(
        _written(found, options, entry, stages_s),
        entry.name,
        len(found.cas_TC),
        len(found.segments),
        stages_s,
    )


def _written(
    found: VideoPrediction,
    options: LocalizeOptions,
    entry: CatalogEntry,
    stages_s: Mapping[str, float],
) -> bytes:
    """Returns the JSON of a LocalizeResponse, or of the form that was asked for.

    Checking it by its schema would take as long as finding the segments; a test does.
    """
    if options.format == "activitynet":
        return orjson.dumps(_activitynet(found, options))
    labels, scores_C = entry.spec.labels, found.class_scores_C
    timing_s = {**stages_s, "total": sum(stages_s.values())}
    told: dict[str, object] = {
        "model": {"name": entry.published.name, "version": entry.published.version},
        "duration_s": found.duration_s,
        "snippets": len(found.cas_TC),
        "classes": [
            {"label": labels[index], "score": scores_C[index]}
            for index in np.argsort(-scores_C, kind="stable")
        ],
        "segments": [
            {"label": label, "start_s": start_s, "end_s": end_s, "score": score}
            for start_s, end_s, label, score in found.segments
        ],
        "timing_ms": {name: round(1e3 * seconds, 3) for name, seconds in timing_s.items()},
    }
    if options.include == "cas":
        told["cas"] = {"labels": labels, "logits": np.ascontiguousarray(found.cas_TC)}
    return orjson.dumps(told, option=orjson.OPT_SERIALIZE_NUMPY)


def duration(options: LocalizeOptions, spec: ModelSpec, snippets: int) -> float:
    """Returns how long the features last.

    Raises:
        InputError: two answers are given, or none and the model does not know its clock.
    """
    if options.duration_s is not None and options.snippet_s is not None:
        raise InputError("expected duration_s or snippet_s, got both")
    if options.duration_s is not None:
        return options.duration_s
    snippet_s = options.snippet_s or spec.snippet_s
    if snippet_s is None:
        raise InputError(
            "this model does not know how long a snippet is; give duration_s or snippet_s"
        )
    return SnippetClock(snippet_s).seconds(snippets)


def localization(options: LocalizeOptions, default: LocalizationConfig) -> LocalizationConfig:
    """Returns the model's own localization with what the options change."""
    config = default
    if options.class_threshold is not None:
        config = replace(config, class_threshold=options.class_threshold)
    if options.nms_iou is not None:
        config = replace(config, nms="greedy", nms_iou=options.nms_iou)
    if options.min_score is not None:
        config = replace(config, min_score=options.min_score)
    if options.max_segments is not None:
        config = replace(config, max_segments=options.max_segments)
    return config


def _activitynet(found: VideoPrediction, options: LocalizeOptions) -> dict[str, object]:
    """Returns an ActivityNetResponse."""
    segments = [
        {"label": label, "score": score, "segment": (start_s, end_s)}
        for start_s, end_s, label, score in found.segments
    ]
    return {
        "version": "ecm-localizer",
        "results": {options.video_id: segments},
        "external_data": {},
    }
