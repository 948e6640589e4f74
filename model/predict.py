"""From a video's features to its segments, with any engine that runs the network.

The one way through for training's evaluation, the command line and the service.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from model.errors import FeatureError
from model.localize import CasScale, LocalizationConfig, class_scores, localize
from model.segments import Segment
from model.snippets import resample
from model.spec import ModelSpec


class CasEngine(Protocol):
    """Runs the network on one video."""

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the class activation sequence, logits (T, C)."""
        ...


@dataclass(frozen=True, slots=True)
class VideoPrediction:
    """What was found in one video."""

    duration_s: float
    """Length of the time that the class activation sequence covers."""
    cas_TC: NDArray[np.float32]
    """The class activation sequence, logits."""
    class_scores_C: NDArray[np.float64]
    """The video's probability of each class."""
    segments: list[Segment]
    """Action segments, best first."""
    cas_scale: CasScale
    """On what scale the sequence was compared with thresholds; see `scale_cas`."""


def predict_video(
    engine: CasEngine,
    features_TD: NDArray[np.float32],
    spec: ModelSpec,
    *,
    duration_s: float,
    config: LocalizationConfig | None = None,
) -> VideoPrediction:
    """Returns the segments of a video, with all that led to them.

    Args:
        engine: runs the network that `spec` belongs to.
        features_TD: checked features (model/arrays.py).
        spec: the model's spec.
        duration_s: how long the features last.
        config: localization other than the spec's.

    Raises:
        FeatureError: the features are so large that the network overflows.
    """
    cas_TC = engine.cas(at_inference_length(features_TD, spec))
    check_finite(cas_TC, features_TD)
    scores_C = class_scores(cas_TC, spec.topk_ratio, spec.logit_scale, spec.activation)
    config = config or spec.localization
    segments = localize(cas_TC, scores_C, labels=spec.labels, duration_s=duration_s, config=config)
    return VideoPrediction(duration_s, cas_TC, scores_C, segments, config.cas_scale)


def check_finite(cas: NDArray[np.float32], features: NDArray[np.float32]) -> None:
    """Checks the output of a network, of one video or of a batch.

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
    """Returns features at the length at which the network is to see them."""
    return resample(features_TD, spec.snippets) if spec.sampling == "resampled" else features_TD
