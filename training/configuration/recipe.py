"""Recipe of a training run: all choices of the experiment apart from its data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from model.errors import OptionError
from model.localization.localize import LocalizationConfig
from model.spec import Attention, InferenceSampling
from model.validation import check_ranges, first_problem, parse_json
from training.configuration.objective import Objective

TrainingSampling: TypeAlias = Literal["linear", "random"]
Schedule: TypeAlias = Literal["step", "cosine"]
Precision: TypeAlias = Literal["fp32", "bf16"]
TransitionStart: TypeAlias = Literal["random", "identity"]
ThresholdSource: TypeAlias = Literal["tags", "option"]
SegmentUse: TypeAlias = Literal["ignore", "use"]
Judge: TypeAlias = Literal["tags", "mAP@0.5", "mAP"]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Recipe:
    """Network, optimization, losses and localization of a run."""

    hidden_width: int = 2048
    """Channels of the two hidden convolutions of the network."""
    dropout: float = 0.5
    """Share of hidden channels that dropout zeroes in training."""
    shared_classifier: bool = True
    """Use one classifier for both streams, which is the idea of ECM (Table 4)."""
    attention: Attention = "class"
    """Aggregation weights: one set for each `class`, or one `agnostic` set for all classes."""
    standardize: bool = False
    """Scale each channel to mean 0 and standard deviation 1 over the training snippets, because
    channels of different scales train badly. The exported file contains both statistics."""
    transition_start: TransitionStart = "random"
    """Initial weights of the transition from the CAS to W_a: `random` or `identity`. A random
    weight may be negative; training then looks for the class where it is absent."""
    snippets: int | None = 256
    """Length in snippets to which training samples every video; `none` takes the median length of
    the training videos."""
    training_sampling: TrainingSampling = "linear"
    """Sampling in training: `linear` interpolation, or one `random` snippet from each of `snippets`
    equal bins, drawn again in every epoch."""
    sampling: InferenceSampling = "native"
    """Length of a video at inference: `native`, or `resampled` to `snippets`."""
    segments: SegmentUse = "ignore"
    """Annotated times of training videos: `ignore` learns from tags alone, `use` also learns which
    snippets are inside and outside of the segments, where a video has any."""
    batch_size: int = 16
    """Videos in a step, over all processes."""
    epochs: int = 100
    """Passes over the training videos."""
    learning_rate: float = 2e-4
    """Learning rate of Adam."""
    schedule: Schedule = "step"
    """Schedule of the learning rate: one `step` at `decay_epoch`, or a `cosine` down to 0."""
    decay_epoch: int | None = None
    """Epoch from which the `step` schedule divides the learning rate by 10; `none` keeps it
    constant."""
    warmup_epochs: int = 0
    """Epochs at the start in which the learning rate rises linearly."""
    weight_decay: float = 5e-4
    """L2 penalty on the weights, inside Adam."""
    precision: Precision = "fp32"
    """Precision of the convolutions in training: `fp32`, or `bf16` for machines on which bfloat16
    is faster."""
    ema_decay: float | None = None
    """Decay in each step of an exponential moving average of the weights, which becomes the result;
    `none` keeps the weights themselves."""
    judge: Judge = "tags"
    """Score on the validation videos that chooses best.pt: mean average precision of their `tags`,
    detection `mAP@0.5`, or detection `mAP` over tIoU 0.5:0.95. Detection needs annotated times."""
    patience: int | None = None
    """Epochs without a better validation score after which training ends; `none` trains all
    `epochs`."""
    class_threshold_from: ThresholdSource = "tags"
    """Source of the model's class threshold: `tags` lowers `class_threshold` until every class
    passes in nine of ten of its own training videos. With `calibration_folds` it starts from the
    threshold of equal errors out of fold. `option` keeps `class_threshold`; a given one implies
    it."""
    calibration_folds: int = 0
    """Networks that are trained on parts of the training videos, to calibrate the class scores and
    to choose thresholds on videos that a network did not learn from. Each costs as much as the
    training itself; 0 leaves the scores as they are."""
    seed: int = 0
    """Seed of the initial weights, the order of the videos, their sampling, and dropout."""
    objective: Objective = field(default_factory=Objective)
    """Terms of the loss and their weights."""
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    """Settings of localization."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            hidden_width="[1, inf)",
            snippets="[1, inf)",
            batch_size="[1, inf)",
            epochs="[1, inf)",
            patience="[1, inf)",
            decay_epoch="[0, inf)",
            warmup_epochs="[0, inf)",
            calibration_folds="[0, 100]",
            dropout="[0, 1)",
            learning_rate="(0, inf)",
            weight_decay="[0, inf)",
            ema_decay="(0, 1)",
            seed="[0, inf)",
        )

    def learning_rate_at(self, epoch: int) -> float:
        """Returns the learning rate in an epoch, counted from 0.

        Example: with rate 1 and 3 warm-up epochs, epochs 0 to 3 have 0.25, 0.5, 0.75 and 1. With a
        cosine over 10 epochs, epochs 0 and 5 have 1 and 0.5.
        """
        rate = self.learning_rate * min(1, (epoch + 1) / (self.warmup_epochs + 1))
        if self.schedule == "cosine":
            return rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return rate / 10 if self.decay_epoch is not None and epoch >= self.decay_epoch else rate

    def override(self, values: Mapping[str, Any]) -> "Recipe":
        """Returns a recipe with some fields of it or of its parts replaced, by name.

        Values may be text, as on a command line.

        Raises:
            OptionError: There is no such field, or a value is not valid.
        """
        content = asdict(self)
        if "class_threshold" in values:
            values = {"class_threshold_from": "option", **values}
        for name, value in values.items():
            holders = [
                holder
                for holder in (content, content["objective"], content["localization"])
                if name in holder and not isinstance(holder[name], dict)
            ]
            if not holders:
                raise OptionError(f"unknown option {name!r}; there are {', '.join(_flat(content))}")
            holders[0][name] = value
        try:
            return _ADAPTER.validate_python(content)
        except ValidationError as error:
            raise OptionError(first_problem(error)) from None

    def differences(self, other: "Recipe") -> tuple[str, ...]:
        """Returns the fields that differ, with both values: `seed 0, now 1`."""
        mine, others = _flat(asdict(self)), _flat(asdict(other))
        return tuple(
            f"{name} {value}, now {others[name]}"
            for name, value in mine.items()
            if value != others[name]
        )

    def to_json(self) -> str:
        """Returns the JSON that `from_json` reads."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Returns the recipe in a JSON text.

        Raises:
            OptionError: A field is unknown, or a value has the wrong type.
        """
        return parse_json(_ADAPTER, text, name="the recipe", error_class=OptionError)


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the fields of a recipe and of its parts by name, the recipe's own first."""
    own = {name: value for name, value in content.items() if not isinstance(value, dict)}
    parts = (value for value in content.values() if isinstance(value, dict))
    return own | {name: value for part in parts for name, value in part.items()}


_ADAPTER = TypeAdapter(Recipe)
