"""Options of a request, and the settings of a model that they change."""

import math

import pytest

from ecm_client.schemas import LocalizeOptions
from model.errors import InputError
from model.localization.localize import LocalizationConfig
from model.options import features_duration_s, localization_config
from model.spec import ModelSpec

TIMED = ModelSpec(("a",), 4, snippets=8, topk_ratio=0.5, snippet_s=0.5)
UNTIMED = ModelSpec(("a",), 4, snippets=8, topk_ratio=0.5)
DEFAULT = LocalizationConfig(nms="soft", class_threshold=0.4, min_score=0.1, max_segments=5)


@pytest.mark.parametrize(
    ("given", "expected_s"), [({"duration_s": 7}, 7.0), ({"snippet_s": 2}, 20.0), ({}, 5.0)]
)
def test_duration_comes_from_the_options_or_else_from_the_model(
    given: dict[str, float], expected_s: float
) -> None:
    """Ten snippets last as long as the request states, or ten times the model's snippet."""
    duration_s = features_duration_s(LocalizeOptions(**given), TIMED, 10)
    assert math.isclose(duration_s, expected_s)


@pytest.mark.parametrize("spec", [TIMED, UNTIMED])
def test_two_durations_are_refused(spec: ModelSpec) -> None:
    """One could contradict the other."""
    with pytest.raises(InputError, match="expected duration_s or snippet_s, got both"):
        features_duration_s(LocalizeOptions(duration_s=7, snippet_s=2), spec, 10)


def test_a_model_without_a_clock_needs_a_duration() -> None:
    """Its training videos had snippets of several lengths."""
    assert features_duration_s(LocalizeOptions(duration_s=7), UNTIMED, 10) == 7
    assert features_duration_s(LocalizeOptions(snippet_s=2), UNTIMED, 10) == 20
    with pytest.raises(InputError, match="no snippet duration; expected duration_s or snippet_s"):
        features_duration_s(LocalizeOptions(), UNTIMED, 10)


def test_a_request_without_options_gets_the_settings_of_the_model() -> None:
    """All of them."""
    assert localization_config(LocalizeOptions(), DEFAULT) == DEFAULT


@pytest.mark.parametrize(
    ("given", "changed"),
    [
        ({"class_threshold": 0}, {"class_threshold": 0}),
        ({"nms_iou": 0}, {"nms": "greedy", "nms_iou": 0}),
        ({"min_score": 0}, {"min_score": 0}),
        ({"max_segments": 0}, {"max_segments": 0}),
    ],
)
def test_each_option_replaces_a_setting(
    given: dict[str, float], changed: dict[str, object]
) -> None:
    """Also with 0, and no other setting changes."""
    config = localization_config(LocalizeOptions(**given), DEFAULT)
    for name in LocalizationConfig.__dataclass_fields__:
        assert getattr(config, name) == changed.get(name, getattr(DEFAULT, name)), name


@pytest.mark.parametrize(
    ("asked", "of_model", "most", "expected"),
    [
        (None, None, None, None),
        (None, 5, None, 5),
        (None, None, 4, 4),
        (None, 5, 4, 4),
        (None, 3, 4, 3),
        (9, 5, None, 9),
        (9, 5, 4, 4),
        (2, 5, 4, 2),
    ],
)
def test_the_limit_of_the_service_holds_for_every_request(
    asked: int | None, of_model: int | None, most: int | None, expected: int | None
) -> None:
    """A request may raise the limit of the model, but not that of the service."""
    default = LocalizationConfig(max_segments=of_model)
    config = localization_config(LocalizeOptions(max_segments=asked), default, most_segments=most)
    assert config.max_segments == expected
