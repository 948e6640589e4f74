"""Ids and labels of predictions against those of the annotations."""

from collections.abc import Callable
from pathlib import Path

import pytest

from model.errors import DataError
from model.segments import Segment
from training.__main__ import main
from training.measurement.matching import match

TRUTH = {"v_a": (Segment(0, 1, "Jump"),), "v_b": (Segment(0, 1, "Run"), Segment(2, 3, "Run"))}


def test_counts_of_what_matches() -> None:
    """Videos, instances and predicted segments; other annotated videos are no fault."""
    predictions = {"v_a": [Segment(0, 1, "Jump"), Segment(0, 1, "Swim")], "c": [], "x": []}
    matching = match(TRUTH, predictions, ["c"])
    assert str(matching) == ("matched: 1 of 2 videos, 1 of 3 instances, 1 of 2 predicted segments")
    assert len(matching.warnings) == 3
    assert "1 of 2 videos have no predictions, for instance 'v_b'" in matching.warnings[0]
    assert (
        "1 of 3 predicted videos have no annotation: got for instance 'x'" in matching.warnings[1]
    )
    assert "1 predicted labels" in matching.warnings[2]
    assert match(TRUTH, TRUTH).warnings == ()


@pytest.mark.parametrize("spelt", ["a", "v_a.mp4", "V_A", "v_a_rgb"])
def test_videos_spelt_otherwise_are_refused_with_the_spelling(spelt: str) -> None:
    """Such predictions would have 0.00 without a word."""
    with pytest.raises(DataError, match=f"'{spelt}' is spelt 'v_a' in the annotations"):
        match(TRUTH, {spelt: [Segment(0, 1, "Jump")]})


@pytest.mark.parametrize(
    ("label", "hint"),
    [("jump", "'jump' is spelt 'Jump'"),
     ("3", "indices such as '3'; expected names such as 'Jump'"),
     ("Swim", "got for instance 'Swim', expected for instance 'Jump'")],
)  # fmt: skip
def test_labels_spelt_otherwise_are_refused_with_the_spelling(label: str, hint: str) -> None:
    """Other case, an index, and another class."""
    with pytest.raises(DataError, match=hint):
        match(TRUTH, {"v_a": [Segment(0, 1, label)]})


def test_nothing_predicted_is_a_result() -> None:
    """A network that finds no segment has 0, and no wrong label."""
    assert match(TRUTH, {"v_a": [], "v_b": []}).predicted_segments == 0
    with pytest.raises(DataError, match="none of 0 predicted videos"):
        match(TRUTH, {})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("p_v_prefix", "is spelt 'video_test_"), ("p_with_mp4", "is spelt 'video_test_"),
        ("p_lower_case", "'baseballpitch' is spelt 'BaseballPitch'"),
        ("p_class_index", "indices such as"),
    ],
)  # fmt: skip
def test_reference_cases_are_refused(
    name: str, message: str, shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """Perfect predictions under other names; under the right ones they have 100 %."""
    folder = shared("data/cases/datasets/score")
    truth = str(folder / "truth.json")
    assert main(["score", truth, str(folder / f"{name}.json"), "--subset", "test"]) == 1
    assert message in capsys.readouterr().err
    assert main(["score", truth, str(folder / "p_perfect.json")]) == 0
    assert "average      100.00 %" in capsys.readouterr().out
