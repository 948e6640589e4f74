"""The spec of a model as JSON."""

import json
import math
from dataclasses import replace

import pytest

from model.errors import SpecError
from model.spec import ModelSpec, Provenance


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
        ({"topk_ratio": 0}, "topk_ratio"),
        ({"snippet_s": -1}, "snippet_s"),
        ({"snippet_s": math.inf}, "snippet_s"),
        ({"logit_scale": math.inf}, "logit_scale"),
        ({"display_min_score": math.nan}, "display_min_score"),
        ({"format": 2}, "format"),
        ({"surprise": 1}, "surprise"),
        ({"localization": {"nms": "best"}}, "nms"),
    ],
)
def test_unreadable_specs_are_named(spec: ModelSpec, change: dict, message: str) -> None:
    """The message names the field."""
    content = json.loads(spec.to_json()) | change
    with pytest.raises(SpecError, match=message):
        ModelSpec.from_json(json.dumps(content))


def test_text_that_is_no_json_is_refused() -> None:
    """There is a SpecError instead of an error of the parser."""
    with pytest.raises(SpecError):
        ModelSpec.from_json("{")
