"""`check` has the options of `fit`, and exits with 1 only for what would stop it."""

import json
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main

SMALL = ["--epochs", "1", "--hidden-width", "8", "--snippets", "8", "--device", "cpu"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two training videos, one of them without features, and a test video of another class."""
    (tmp_path / "data/features").mkdir(parents=True)
    entries = {
        "a": {"subset": "training", "annotations": [{"label": "Jump"}]},
        "b": {"subset": "training", "annotations": [{"label": "Run"}]},
        "gone": {"subset": "training", "annotations": [{"label": "Run"}]},
        "c": {"subset": "test", "annotations": [{"label": "Swim"}]},
    }
    for entry in entries.values():
        entry["duration"] = 10  # type: ignore[assignment]
    (tmp_path / "data/annotations.json").write_text(json.dumps({"database": entries}))
    for name in ("a", "b", "c", "other"):
        np.save(tmp_path / f"data/features/{name}.npy", np.ones((10, 4), np.float32))
    return tmp_path / "data"


def test_contents_are_listed(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Classes with counts by subset, rows without file, files without row, and remarks."""
    assert main(["check", "--data", str(folder)]) == 0
    shown = capsys.readouterr().out
    for line in (
        "videos by class: training, test", "  Jump: 1, 0", "  Swim: 0, 1", "without features: gone",
        "without annotation: other", "- remark: subset 'test' has ['Swim']",
        "no problems, 1 remarks",
    ):  # fmt: skip
        assert line in shown


def test_options_of_fit_are_taken(folder: Path, tmp_path: Path) -> None:
    """So `check` can be put in the place of `fit`; a wrong value is refused by both."""
    options = ["--data", str(folder), "--out", str(tmp_path / "run"), "--preset", "own-videos",
               "--train-subset", "training", *SMALL]  # fmt: skip
    for command in ("check", "fit"):
        assert main([command, *options]) == 0
        assert main([command, *options, "--epochs", "x"]) != 0


@pytest.mark.parametrize(
    ("spoilt", "status"),
    [("a", 1), ("c", 0)],
)
def test_only_files_that_training_reads_are_problems(
    spoilt: str, status: int, folder: Path, tmp_path: Path
) -> None:
    """A damaged test video is a remark; a damaged training video stops `fit`, too."""
    (folder / f"features/{spoilt}.npy").write_bytes(b"x")
    assert main(["check", "--data", str(folder)]) == status
    out = str(tmp_path / "run")
    assert main(["fit", "--data", str(folder), "--out", out, *SMALL]) == status


def test_learning_from_what_is_measured_is_refused(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same subset for both would choose the epoch that learned its tags by heart."""
    options = ["--data", str(folder), "--validation-subset", "training"]
    assert main(["check", *options]) == 1
    assert main(["fit", *options, "--out", str(tmp_path / "run"), *SMALL]) != 0
    assert "2 videos are to be learned from and to be measured on" in capsys.readouterr().err


def test_absent_subset_is_a_problem(folder: Path) -> None:
    """As it is for `fit`."""
    assert main(["check", "--data", str(folder), "--train-subset", "extra"]) == 1


def test_absent_segments_are_a_problem_where_they_are_used(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With `--segments use`, both `check` and `fit` refuse data of tags alone."""
    options = ["--data", str(folder), "--out", str(tmp_path / "run"), "--segments", "use", *SMALL]
    assert main(["check", *options]) == 1
    assert "- problem: " in capsys.readouterr().out
    assert main(["fit", *options]) == 1
    assert "needs training videos with segments" in capsys.readouterr().err
