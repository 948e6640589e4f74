"""All choices of a training run besides its data."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, TypeAlias

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config

from model.errors import OptionError
from model.localize import LocalizationConfig
from model.network import Attention
from model.spec import InferenceSampling
from model.validation import first_problem, parse_json
from training.losses import Objective

TrainingSampling: TypeAlias = Literal["linear", "random"]
Schedule: TypeAlias = Literal["step", "cosine"]
Precision: TypeAlias = Literal["fp32", "bf16"]
TransitionStart: TypeAlias = Literal["random", "identity"]
Judge: TypeAlias = Literal["tags", "mAP@0.5", "mAP"]


@with_config(ConfigDict(extra="forbid"))
@dataclass(frozen=True, slots=True)
class Recipe:
    """How a network is trained and read."""

    hidden_width: int = 2048
    """Channels of the two hidden convolutions."""
    dropout: float = 0.5
    """Share of hidden channels dropped in training."""
    shared_classifier: bool = True
    """Whether both streams have one classifier, which is what ECM is about (Table 4)."""
    attention: Attention = "class"
    """Whether each `class` has aggregation weights of its own, or all share `agnostic` ones."""
    standardize: bool = False
    """Whether the network brings each channel to mean 0 and deviation 1 over the training snippets,
    which channels of different sizes need; the exported file holds both."""
    transition_start: TransitionStart = "random"
    """First weights of the transition from CAS to W_a: `random`, of which a class's own may be
    negative and then look for it where it is not, or `identity`."""
    snippets: int | None = 256
    """Length to which training brings every video; None takes the middle one of their lengths."""
    training_sampling: TrainingSampling = "linear"
    """`linear` interpolation, or one `random` snippet from each of equal bins every epoch."""
    sampling: InferenceSampling = "native"
    """Length at inference: `native`, or `resampled` to `snippets`."""
    batch_size: int = 16
    """Videos a step."""
    epochs: int = 100
    """Passes over the training videos."""
    learning_rate: float = 2e-4
    """Of Adam."""
    schedule: Schedule = "step"
    """Of the learning rate: one `step` at `decay_epoch`, or a `cosine` down to 0."""
    decay_epoch: int | None = None
    """With `step`: from this epoch on the learning rate is a tenth; None keeps it."""
    warmup_epochs: int = 0
    """The learning rate rises linearly over so many epochs."""
    weight_decay: float = 5e-4
    """L2 penalty inside Adam."""
    precision: Precision = "fp32"
    """Numbers of the convolutions in training: `fp32`, or `bf16` where the machine is faster so."""
    ema_decay: float | None = None
    """Keeps an exponential moving average of the weights, with this decay a step, as the result."""
    judge: Judge = "tags"
    """What on the validation videos chooses best.pt: their `tags`, or where they have time stamps
    the detection `mAP@0.5`, or the `mAP` over 0.5:0.95."""
    patience: int | None = None
    """Training ends after so many epochs in which the validation got no better; None never."""
    seed: int = 0
    """Of the weights, the order of the videos, the sampling and dropout."""
    objective: Objective = field(default_factory=Objective)
    """The losses."""
    localization: LocalizationConfig = field(default_factory=LocalizationConfig)
    """How segments are read off."""

    def __post_init__(self) -> None:
        for name in ("hidden_width", "snippets", "batch_size", "epochs", "patience"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise OptionError(f"{name} must be at least 1, not {value}")
        if not 0 <= self.dropout < 1:
            raise OptionError(f"dropout must lie in [0, 1), not {self.dropout}")
        if not 0 < self.objective.topk_ratio <= 1:
            raise OptionError(f"topk_ratio must lie in (0, 1], not {self.objective.topk_ratio}")
        if not (self.learning_rate > 0 and self.weight_decay >= 0):
            raise OptionError(
                "learning_rate must be above 0 and weight_decay at least 0, not "
                f"{self.learning_rate} and {self.weight_decay}"
            )
        if not (self.ema_decay is None or 0 < self.ema_decay < 1):
            raise OptionError(f"ema_decay must lie in (0, 1), not {self.ema_decay}")

    def learning_rate_at(self, epoch: int) -> float:
        """Returns the learning rate in an epoch, counted from 0."""
        rate = self.learning_rate * min(1, (epoch + 1) / (self.warmup_epochs + 1))
        if self.schedule == "cosine":
            return rate * (1 + math.cos(math.pi * epoch / self.epochs)) / 2
        return rate / 10 if self.decay_epoch is not None and epoch >= self.decay_epoch else rate

    def override(self, values: Mapping[str, Any]) -> "Recipe":
        """Returns the recipe with some fields changed, those of its parts included, by name.

        Values may be text, as a command line gives it.

        Raises:
            OptionError: there is no such field, or a value does not fit it.
        """
        content = asdict(self)
        for name, value in values.items():
            holders = [
                holder
                for holder in (content, content["objective"], content["localization"])
                if name in holder and not isinstance(holder[name], dict)
            ]
            if not holders:
                raise OptionError(
                    f"unknown option {name!r}; there are {', '.join(_names(content))}"
                )
            holders[0][name] = value
        try:
            return _ADAPTER.validate_python(content)
        except ValidationError as error:
            raise OptionError(first_problem(error)) from None

    def to_json(self) -> str:
        """Returns the JSON that `from_json` reads."""
        return _ADAPTER.dump_json(self).decode()

    @classmethod
    def from_json(cls, text: str | bytes) -> "Recipe":
        """Returns the recipe in a JSON text.

        Raises:
            OptionError: an unknown field or a value of the wrong type.
        """
        return parse_json(_ADAPTER, text, name="the recipe", error_class=OptionError)


def _names(content: Mapping[str, Any]) -> list[str]:
    own = [name for name, value in content.items() if not isinstance(value, dict)]
    return own + [n for value in content.values() if isinstance(value, dict) for n in _names(value)]


_ADAPTER = TypeAdapter(Recipe)
