"""The spec of a model as JSON."""

import json
import math
from dataclasses import asdict, replace

import pytest

from model.calibration import Calibration, Isotonic, Platt
from model.errors import SpecError
from model.familiarity import FeatureStatistics
from model.localization.localize import LocalizationConfig
from model.spec import ModelSpec, Provenance

LEVEL = Isotonic((0.1,), (0.5,))
STATISTICS = FeatureStatistics((0.0,), ((1.0,),), (0.0, 1.0))


def test_spec_survives_its_json(spec: ModelSpec) -> None:
    """A spec equals the one read from its JSON."""
    full = replace(spec, provenance=Provenance(created="today"), evaluation={"mAP": 0.5})
    assert ModelSpec.from_json(full.to_json()) == full


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"labels": []}, "labels"),
        ({"labels": ["a", "a", "b"]}, "labels"),
        ({"feature_dim": 0}, "feature_dim"),
        ({"snippets": 0}, "snippets"),
        ({"topk_ratio": 0}, "topk_ratio"),
        ({"topk_ratio": 1.01}, "topk_ratio"),
        ({"snippet_s": -1}, "snippet_s"),
        ({"snippet_s": 0}, "snippet_s"),
        ({"snippet_s": math.inf}, "snippet_s"),
        ({"logit_scale": 0}, "logit_scale"),
        ({"logit_scale": math.inf}, "logit_scale"),
        ({"display_min_score": math.nan}, "display_min_score"),
        ({"format": 2}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"provenance": {"surprise": 1}}, "surprise"),
        ({"extractor": {"surprise": 1}}, "surprise"),
        ({"localization": {"surprise": 1}}, "surprise"),
        ({"calibration": {"surprise": 1}}, "surprise"),
        ({"calibration": {"curve": asdict(LEVEL) | {"surprise": 1}}}, "curve"),
        ({"training_features": asdict(STATISTICS) | {"surprise": 1}}, "surprise"),
        ({"localization": {"nms": "best"}}, "nms"),
    ],
)
def test_unreadable_specs_are_named(spec: ModelSpec, change: dict, message: str) -> None:
    """The message names the field."""
    content = json.loads(spec.to_json()) | change
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_json(json.dumps(content))


def test_the_facts_that_a_spec_may_omit_have_documented_values() -> None:
    """The smallest spec has one class, channel and snippet; its other fields mean "unknown"."""
    smallest = {"labels": ["a"], "feature_dim": 1, "snippets": 1, "topk_ratio": 1.0}
    spec = ModelSpec.from_json(json.dumps(smallest))
    nothing = {
        "logit_scale": 1.0,
        "activation": "softmax",
        "sampling": "native",
        "snippet_s": None,
        "extractor": {"name": "unknown", "sha256": None},
        "precision": "float32",
        "localization": asdict(LocalizationConfig()),
        "display_min_score": None,
        "training_features": None,
        "calibration": None,
        "evaluation": {},
        "provenance": {"created": "", "software": "", "recipe": "", "data": "", "epoch": 0,
                       "training_videos": 0},
        "format": 1,
    }  # fmt: skip
    assert json.loads(spec.to_json()) == smallest | nothing


@pytest.mark.parametrize(("feature_dim", "folded"), [(8, 8), (32, 32), (33, 32)])
def test_statistics_have_the_folded_channels_of_the_features(
    spec: ModelSpec, feature_dim: int, folded: int
) -> None:
    """Statistics of one channel more or less belong to other features."""
    for channels in (folded - 1, folded, folded + 1):
        rows = tuple((0.0,) * channels for _ in range(channels))
        statistics = FeatureStatistics((0.0,) * channels, rows, (1.0, 2.0))
        change = {"feature_dim": feature_dim, "training_features": statistics}
        if channels == folded:
            assert replace(spec, **change).training_features == statistics
        else:
            with pytest.raises(SpecError, match=f"{folded} channels, not {channels}"):
                replace(spec, **change)


def test_a_curve_of_each_class_has_as_many_slopes_as_labels(spec: ModelSpec) -> None:
    """A curve for all classes fits any number of labels."""
    calibration = Calibration(LEVEL)
    assert replace(spec, calibration=calibration).calibration == calibration
    for classes in (2, 4):
        curve = Platt((1.0,) * classes, (0.0,) * classes)
        with pytest.raises(SpecError, match=f"3 slopes, not {classes}"):
            replace(spec, calibration=Calibration(curve))


def test_text_that_is_no_json_is_refused() -> None:
    """There is a SpecError instead of an error of the parser."""
    with pytest.raises(SpecError):
        ModelSpec.from_json("{")
