"""Prediction: from the features of a video to its segments, with any engine for the network.

Evaluation in training, the command line and the service all use `predict_video`.

Axes: T snippets, D feature channels, C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import FeatureError
from model.familiarity import Familiarity, familiarity
from model.localization.localize import CasScale, LocalizationConfig, class_scores, localize
from model.localization.nothing_found import why_nothing_found
from model.segments import Segment
from model.snippets import resample
from model.spec import ModelSpec


class CasEngine(Protocol):
    """Runs a network on one video at a time."""

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the class activation sequence, logits (T, C)."""
        ...


@dataclass(frozen=True, slots=True)
class VideoPrediction:
    """The output of the network and the segments of one video."""

    duration_s: float
    """Duration of the class activation sequence."""
    cas_TC: NDArray[np.float32]
    """The class activation sequence, logits."""
    class_scores_C: NDArray[np.float64]
    """The probability of each class in the video."""
    segments: list[Segment]
    """Action segments, best first."""
    cas_scale: CasScale
    """Scale of the class activation sequence for the thresholds; see `scale_cas`."""
    truncated: bool
    """Whether the option `max_segments` left out segments."""
    likeness: Familiarity | None
    """Likeness of the features to those of the training videos; None if the spec has no statistics
    of them."""
    notes: tuple[str, ...]
    """Sentences about the result, such as the reason why there is no segment."""

    @property
    def familiarity(self) -> float | None:
        """Share of the training videos that are as far from the others as this video."""
        return self.likeness.share if self.likeness else None


def predict_video(
    engine: CasEngine,
    features_TD: NDArray[np.float32],
    spec: ModelSpec,
    *,
    duration_s: float,
    config: LocalizationConfig | None = None,
    check: Callable[[], None] = lambda: None,
) -> VideoPrediction:
    """Returns the segments of a video, together with the output of the network.

    Args:
        engine: runs the network.
        features_TD: checked features (model/arrays.py).
        spec: the spec of that network.
        duration_s: duration of the features.
        config: options of localization; those of the spec if not given.
        check: called during the localization; an error that it raises ends it.

    Raises:
        FeatureError: the features are so large that the network overflows.
    """
    cas_TC = engine.cas(at_inference_length(features_TD, spec))
    check_finite(cas_TC, features_TD)
    likeness = familiarity(features_TD, spec.training_features) if spec.training_features else None
    return predict_from_cas(
        cas_TC, spec, duration_s=duration_s, likeness=likeness, config=config, check=check
    )


def predict_from_cas(
    cas_TC: NDArray[np.float32],
    spec: ModelSpec,
    *,
    duration_s: float,
    likeness: Familiarity | None = None,
    config: LocalizationConfig | None = None,
    check: Callable[[], None] = lambda: None,
) -> VideoPrediction:
    """Returns the segments of a video from the output of the network, without running it.

    Args:
        cas_TC: output of the network, logits.
        spec: spec of that network.
        duration_s: duration of the class activation sequence.
        likeness: likeness of the features to those of the training videos.
        config: options of localization; those of the spec if not given.
        check: called during the localization; an error that it raises ends it.
    """
    scores_C = video_scores(cas_TC, spec)
    config = config or spec.localization
    limit = config.max_segments
    found = localize(
        cas_TC,
        scores_C,
        labels=spec.labels,
        duration_s=duration_s,
        config=config if limit is None else replace(config, max_segments=limit + 1),
        check=check,
    )
    segments = found[:limit]
    nothing = None if segments else f"no segment was found: {why_nothing_found(scores_C, config)}"
    return VideoPrediction(
        duration_s,
        cas_TC,
        scores_C,
        segments,
        config.cas_scale,
        truncated=len(found) > len(segments),
        likeness=likeness,
        notes=tuple(filter(None, (nothing, likeness.note if likeness else None))),
    )


def video_scores(cas_TC: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.float64]:
    """Returns the probability that a video shows each class, (C,), calibrated where the spec is."""
    scores_C = class_scores(cas_TC, spec.topk_ratio, spec.logit_scale, spec.activation)
    curve = spec.calibration.curve if spec.calibration else None
    return curve(scores_C) if curve else scores_C


def check_finite(cas: NDArray[np.float32], features: NDArray[np.float32]) -> None:
    """Checks the output of the network for one video or for a batch.

    Raises:
        FeatureError: a logit is NaN or infinite, because the features are so large that the
            network overflows.
    """
    if not np.isfinite(cas).all():
        raise FeatureError(
            "the network's output is not finite: the features are far from those that it was "
            f"trained on (the largest is {np.abs(features).max():.3g})"
        )


def at_inference_length(features_TD: NDArray[np.float32], spec: ModelSpec) -> NDArray[np.float32]:
    """Returns features at the length that the network needs: resampled, or unchanged."""
    return resample(features_TD, spec.snippets) if spec.sampling == "resampled" else features_TD
