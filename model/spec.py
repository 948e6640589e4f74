"""The spec of a model: JSON in the metadata `ecm.spec` of its ONNX file."""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, with_config

from model.calibration import Calibration, Platt
from model.errors import SpecError
from model.familiarity import FOLDED_CHANNELS, FeatureStatistics
from model.localization.localize import Activation, LocalizationConfig
from model.validation import parse_json

METADATA_KEY = "ecm.spec"
"""Key of the spec in the ONNX metadata."""

InferenceSampling: TypeAlias = Literal["native", "resampled"]
Precision: TypeAlias = Literal["float32", "float16", "int8"]
Attention: TypeAlias = Literal["class", "agnostic"]
"""Aggregation weights of the network: for each class, or the same for all classes."""
AbsenceTerm: TypeAlias = Literal["paper", "own", "released"]
"""Weights of the absence feature (model/README.md)."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class ExtractorIdentity:
    """Identity of the extractor of the training features."""

    name: str = "unknown"
    """Id of the extractor; `unknown` if the features came without a record of it. The ids of joined
    extractors are separated by `+`, and so are their hashes."""
    sha256: str | None = None
    """SHA-256 of the weights of the extractor; None if it has no weights or is unknown."""


@dataclass(frozen=True, slots=True)
class Provenance:
    """Origin of a model."""

    created: str = ""
    """UTC time of the end of training, ISO 8601."""
    software: str = ""
    """Name and version of the training software."""
    recipe: str = ""
    """Training recipe as JSON."""
    data: str = ""
    """Annotations of the training videos."""
    epoch: int = 0
    """Number of epochs of training."""
    training_videos: int = 0
    """Number of training videos."""


@with_config(ConfigDict(extra="forbid"))  # holds for the parts, too
@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All facts that turn the output of a network into named segments in seconds."""

    labels: tuple[str, ...]
    """Classes, in the order of the output of the network."""
    feature_dim: int
    """Channels of the features (D)."""
    snippets: int
    """Length in snippets to which training resampled each video."""
    topk_ratio: float
    """Share of the snippets whose largest logits are averaged to the logit of the video."""
    logit_scale: float = 1.0
    """Factor on the logits of the video before the activation."""
    activation: Activation = "softmax"
    """Activation of the class scores: one `softmax` over the classes, or a `sigmoid` for each."""
    sampling: InferenceSampling = "native"
    """Length of the features at inference: `native`, or `resampled` to `snippets`."""
    snippet_s: float | None = None
    """Seconds from one snippet to the next, if all training videos agree. Otherwise None, and the
    duration of each video is needed."""
    extractor: ExtractorIdentity = field(default_factory=ExtractorIdentity)
    """Extractor of the training features."""
    precision: Precision = "float32"
    """Precision of the weights and the arithmetic; inputs and outputs are always float32. `int8` is
    for CPUs, and its file has a neighbour in float32."""
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    """Default options of localization."""
    display_min_score: float | None = None
    """Lowest score of a segment that is worth listing, chosen on the training videos, out of fold
    where `fit` calibrated; None in older files. Neither evaluation nor the service uses it."""
    training_features: FeatureStatistics | None = None
    """Statistics of the training features, for the familiarity of a video; None in older files and
    for fewer than five training videos."""
    calibration: Calibration | None = None
    """Calibration of the class scores; None in older files and where `fit` did not calibrate."""
    evaluation: dict[str, float] = field(default_factory=dict)
    """Metrics on held-out videos by name; empty without held-out videos."""
    provenance: Provenance = field(default_factory=Provenance)
    """Origin of the model."""
    format: Literal[1] = 1
    """Version of this format."""

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise SpecError(f"labels must be at least one and distinct, not {self.labels}")
        if self.feature_dim < 1 or self.snippets < 1:
            raise SpecError(
                f"feature_dim and snippets must be at least 1, not {self.feature_dim} and "
                f"{self.snippets}"
            )
        if not 0 < self.topk_ratio <= 1:
            raise SpecError(f"topk_ratio must be in (0, 1], not {self.topk_ratio}")
        if not 0 < self.logit_scale < math.inf:
            raise SpecError(f"logit_scale must be above 0 and finite, not {self.logit_scale}")
        folded = min(self.feature_dim, FOLDED_CHANNELS)
        if self.training_features and len(self.training_features.mean_F) != folded:
            raise SpecError(
                f"training_features must have {folded} channels, not "
                f"{len(self.training_features.mean_F)}"
            )
        if self.snippet_s is not None and not 0 < self.snippet_s < math.inf:
            raise SpecError(f"snippet_s must be above 0 and finite, not {self.snippet_s}")
        curve = self.calibration.curve if self.calibration else None
        if isinstance(curve, Platt) and len(curve.slope_C) != len(self.labels):
            raise SpecError(
                f"calibration must have {len(self.labels)} slopes, not {len(curve.slope_C)}"
            )
        if not math.isfinite(self.display_min_score or 0):
            raise SpecError(f"display_min_score must be finite, not {self.display_min_score}")

    def to_json(self) -> str:
        """Returns the spec as JSON."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelSpec":
        """Returns the spec in a JSON text.

        Raises:
            SpecError: the text is not JSON, or a field is missing, unknown or invalid.
        """
        return parse_json(_ADAPTER, text, name="the model's spec", error_class=SpecError)


_ADAPTER = TypeAdapter(ModelSpec)
