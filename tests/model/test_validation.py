"""Complaints of pydantic as errors of this project."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import pytest
from pydantic import TypeAdapter

from features.video.limits import VideoLimits
from model.errors import InputError, OptionError
from model.inference.engine import EngineConfig
from model.localization.localize import LocalizationConfig
from model.network import EcmConfig
from model.validation import check_ranges, parse_json
from service.models.batching import BatchConfig
from training.configuration.execution import Execution
from training.datasets.simulated import SimulationConfig


@dataclass(frozen=True)
class Part:
    """A part of a whole."""

    size: int = 1


@dataclass(frozen=True)
class Versioned:
    """A dataclass with a format, as files have."""

    format: Literal[1]
    size: int = 1


@dataclass(frozen=True)
class Whole:
    """A dataclass with a part and a rule of its own."""

    name: str
    part: Part

    def __post_init__(self) -> None:
        if not self.name:
            raise OptionError("name must not be empty")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "the whole cannot be read: Invalid JSON"),
        ('{"part": {}}', "name: Field required$"),
        ('{"name": "a", "part": {"size": "large"}}', r"part\.size: .* got 'large'$"),
        ('{"part": {"size": "large"}}', "name: Field required$"),
        ('{"name": "", "part": {}}', "the whole cannot be read: name must not be empty$"),
    ],
)
def test_complaint_is_one_line_that_names_the_field(text: str, message: str) -> None:
    """The caller chooses the error class."""
    with pytest.raises(OptionError, match=message):
        parse_json(TypeAdapter(Whole), text, name="the whole", error_class=OptionError)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (EngineConfig, {"threads": -1}),
        (EngineConfig, {"instances": 0}),
        (partial(EcmConfig, 8), {"classes": 0}),
        (partial(EcmConfig, classes=2), {"feature_dim": 0}),
        (partial(EcmConfig, 8, 2), {"hidden_width": 0}),
        (partial(EcmConfig, 8, 2), {"dropout": 1.0}),
        (partial(EcmConfig, 8, 2), {"dropout": float("nan")}),
        (BatchConfig, {"max_videos": 0}),
        (BatchConfig, {"delay_s": float("inf")}),
        (BatchConfig, {"bucket_snippets": 0}),
        (VideoLimits, {"max_frame_pixels": 0}),
        (VideoLimits, {"max_duration_s": 0.0}),
        (VideoLimits, {"max_frames": True}),
        (LocalizationConfig, {"min_score": True}),
        (Execution, {"loader_threads": 0}),
        (Execution, {"micro_batch_size": 0}),
        (Execution, {"feature_memory_gib": -1.0}),
        (Execution, {"feature_memory_gib": float("nan")}),
        (SimulationConfig, {"training_videos": 0}),
    ],
)
def test_settings_out_of_range_are_one_sentence(
    make: Callable[..., object], field: dict[str, float]
) -> None:
    """Its field, the interval and the value."""
    ((name, value),) = field.items()
    with pytest.raises(InputError, match=rf"^{name} must be .*not {value}$"):
        make(**field)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"format": 2, "size": "x"}', "it has format 2, which a newer version wrote; this version "
                                       "reads format 1; upgrade ecm-localizer"),
        ('{"format": 0}', "format: Input should be 1, got 0"),
        ('{"format": "2"}', "format: Input should be 1, got '2'"),
        ('{"format": 1, "size": 2.5}', "size: Input should be a valid integer"),
    ],
)  # fmt: skip
def test_a_newer_format_asks_for_an_upgrade(text: str, message: str) -> None:
    """Other formats, and other fields of this format, are plain errors."""
    with pytest.raises(OptionError, match=f"the file cannot be read: {message}"):
        parse_json(TypeAdapter(Versioned), text, name="the file", error_class=OptionError)


@pytest.mark.parametrize(
    ("size", "interval", "is_inside"),
    [
        (0, "[0, 1]", True),
        (1, "[0, 1]", True),
        (2, "[0, 1]", False),
        (0, "(0, 1)", False),
        (1, "(0, 1)", False),
        (10**400, "[0, inf)", True),
        (float("inf"), "[0, inf)", False),
        (float("nan"), "[0, inf)", False),
        (-1e-9, "[0, inf)", False),
        (None, "(0, 1)", True),
        (np.float32(0.5), "(0, 1)", True),
        (np.int64(1), "[1, inf)", True),
        (True, "[0, 1]", False),
        (np.bool_(True), "[0, 1]", False),
        ("1", "[0, 1]", False),
    ],
)
def test_ranges_have_open_and_closed_ends(size: float, interval: str, is_inside: bool) -> None:
    """Infinity, NaN, a truth value and a text are in no interval; None is no value."""
    part = Part(size)  # type: ignore[arg-type]
    if is_inside:
        check_ranges(part, size=interval)
    else:
        with pytest.raises(OptionError, match="size must be in"):
            check_ranges(part, size=interval)
