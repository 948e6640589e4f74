"""What a model file says of itself: the JSON under `ecm.spec` in the ONNX metadata."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, with_config

from model.errors import SpecError
from model.localize import Activation, LocalizationConfig
from model.validation import parse_json

METADATA_KEY = "ecm.spec"
"""Where the ONNX metadata holds the spec."""

InferenceSampling: TypeAlias = Literal["native", "resampled"]
Precision: TypeAlias = Literal["float32", "float16"]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class ExtractorIdentity:
    """What made the features that the model was trained on."""

    name: str = "unknown"
    """Name of the extractor; `unknown` where features came ready-made."""
    sha256: str | None = None
    """Hash of the extractor's weights; None where it has none or they are not known."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the model comes from."""

    created: str = ""
    """UTC time of the training's end, ISO 8601."""
    software: str = ""
    """Name and version of what trained it."""
    recipe: str = ""
    """The training recipe as JSON."""
    data: str = ""
    """The annotations that it learned from."""
    epoch: int = 0
    """Epochs trained."""
    training_videos: int = 0
    """Videos that it learned from."""


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class ModelSpec:
    """All that turns the network's numbers into named segments in seconds."""

    labels: tuple[str, ...]
    """The classes, in the order of the network's output."""
    feature_dim: int
    """Channels of a snippet's features (D)."""
    snippets: int
    """Length in snippets to which training resampled every video."""
    topk_ratio: float
    """Share of snippets whose mean logit is a class's video score."""
    logit_scale: float = 1.0
    """Factor on these means before the activation that makes them class scores."""
    activation: Activation = "softmax"
    """What makes them class scores: one `softmax` over the classes, or a `sigmoid` for each."""
    sampling: InferenceSampling = "native"
    """Whether inference takes features at their own length or resampled to `snippets`."""
    snippet_s: float | None = None
    """Seconds a snippet, where all training videos agree on it; else each video's duration is
    needed."""
    extractor: ExtractorIdentity = field(default_factory=ExtractorIdentity)
    """What made the features."""
    precision: Precision = "float32"
    """Of the network's weights and arithmetic; its inputs and outputs are float32 in any case."""
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    """Defaults for reading segments off the class activation sequence."""
    display_min_score: float | None = None
    """Segment score below which segments are not worth listing, chosen on the training videos;
    None in an older file. No evaluation and no answer of the service depends on it."""
    evaluation: dict[str, float] = field(default_factory=dict)
    """Figures measured on held-out videos, by name; empty where none were."""
    provenance: Provenance = field(default_factory=Provenance)
    """Where the model comes from."""
    format: Literal[1] = 1
    """Version of this structure."""

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) != len(self.labels):
            raise SpecError(f"labels must be distinct and at least one, not {self.labels}")
        if self.feature_dim < 1 or self.snippets < 1:
            raise SpecError(
                f"feature_dim and snippets must be at least 1, not {self.feature_dim} and "
                f"{self.snippets}"
            )
        if not 0 < self.topk_ratio <= 1:
            raise SpecError(f"topk_ratio must lie in (0, 1], not {self.topk_ratio}")
        if not self.logit_scale > 0:
            raise SpecError(f"logit_scale must be above 0, not {self.logit_scale}")
        if self.snippet_s is not None and not self.snippet_s > 0:
            raise SpecError(f"snippet_s must be above 0, not {self.snippet_s}")

    def to_json(self) -> str:
        """Returns the JSON that `from_json` reads."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "ModelSpec":
        """Returns the spec in a JSON text.

        Raises:
            SpecError: not JSON, a field that is absent, unknown or of the wrong type.
        """
        return parse_json(_ADAPTER, text, name="the model's spec", error_class=SpecError)


_ADAPTER = TypeAdapter(ModelSpec)
