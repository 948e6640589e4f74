"""Ids and clocks of the inputs of `localize`."""

import json
from pathlib import Path

import pytest

from ecm_localizer.command.inputs import find_inputs
from model.errors import DataError


@pytest.fixture
def annotations(tmp_path: Path) -> Path:
    entry = {"subset": "test", "duration": 8.0, "annotations": []}
    (tmp_path / "truth.json").write_text(json.dumps({"database": {"abc": entry, "v_d": entry}}))
    return tmp_path / "truth.json"


def test_results_have_the_ids_of_the_annotations(annotations: Path, tmp_path: Path) -> None:
    """However the files are spelt, so that `score` finds them; others keep their names."""
    folder = tmp_path / "inputs"
    folder.mkdir()
    for name in ("v_abc.npy", "d.mp4", "other.npy"):
        (folder / name).touch()
    found = {one.id: one.clock for one in find_inputs([str(folder)], annotations)}
    assert found == {"abc": {"duration_s": 8.0}, "v_d": {}, "other": {}}
    assert sorted(one.id for one in find_inputs([str(folder)])) == ["d", "other", "v_abc"]


def test_annotations_of_other_videos_are_refused(annotations: Path) -> None:
    """All durations would be missing."""
    with pytest.raises(DataError, match=r"names none of 1 inputs.*'x'; expected names such as"):
        find_inputs(["x.npy"], annotations)
