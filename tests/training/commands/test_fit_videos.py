"""`ecm fit` from video files and a table of tags to a trained network."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from training.__main__ import main
from training.checkpoint import load_checkpoint

SMALL = ["--epochs", "2", "--hidden-width", "8", "--snippets", "8", "--device", "cpu"]


@pytest.fixture
def videos(tmp_path: Path, film: Callable[..., Path]) -> Path:
    """Three short videos and one broken file, with tags."""
    folder = tmp_path / "videos"
    folder.mkdir()
    for name, rate in (("run", 25), ("jump", 12.5), ("still", 100)):
        film(folder / f"{name}.mp4", [n / rate for n in range(int(4 * rate))])
    (folder / "broken.mp4").write_text("no video")
    rows = ["video,label", "run.mp4,Run", "jump.mp4,Jump", "still.mp4,", "broken.mp4,Run"]
    (tmp_path / "tags.csv").write_text("\n".join(rows))
    return folder


def fit(videos: Path, *more: str) -> int:
    tags = ["--tags", str(videos.parent / "tags.csv"), "--activation", "sigmoid"]
    out = ["--out", str(videos.parent / "run")]
    return main(["fit", "--videos", str(videos), *tags, *out, *SMALL, *more])


def test_videos_and_tags_make_a_network(videos: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The spec has the extractor and the clock; a file that is no video is left out."""
    assert fit(videos) == 0
    spec = load_checkpoint(videos.parent / "run").spec
    assert spec.labels == ("Jump", "Run")
    assert spec.extractor.name.startswith("motion")
    assert spec.snippet_s == pytest.approx(0.6)
    assert spec.provenance.training_videos == 3
    assert "broken.mp4" in caplog.text
    features = videos.parent / "videos.motion"
    assert len(np.load(features / "run.npy")) == 7


def test_tags_choose_the_objective_without_a_preset(videos: Path) -> None:
    """A video without a tag needs a sigmoid, which `own-videos` has; options change the rest."""
    tags, out = ["--tags", str(videos.parent / "tags.csv")], videos.parent / "run"
    assert main(["fit", "--videos", str(videos), *tags, "--out", str(out), *SMALL]) == 0
    recipe = load_checkpoint(out).recipe
    assert (recipe.objective.activation, recipe.standardize) == ("sigmoid", True)
    assert (recipe.hidden_width, recipe.snippets) == (8, 8)


def test_features_are_made_once(videos: Path) -> None:
    """A second call reads the features of the first from the folder that `--features` names."""
    features = videos.parent / "elsewhere"
    assert fit(videos, "--features", str(features)) == 0
    made = {path: path.stat().st_mtime_ns for path in features.iterdir()}
    assert fit(videos, "--features", str(features), "--epochs", "3") == 0
    assert {path: path.stat().st_mtime_ns for path in features.iterdir()} == made


def test_time_stamps_add_figures(videos: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Validation videos with time stamps give mAP at the end of `fit`."""
    shown = [{"label": "Run", "segment": [1.0, 2.0]}]
    database = {
        "run": {"subset": "training", "annotations": [{"label": "Run"}]},
        "still": {"subset": "training", "annotations": []},
        "jump": {"subset": "validation", "annotations": shown},
    }
    path = videos.parent / "annotations.json"
    path.write_text(json.dumps({"database": database}))
    out = ["--out", str(videos.parent / "run")]
    given = ["--videos", str(videos), "--annotations", str(path), *out]
    assert main(["fit", *given, *SMALL]) == 0
    assert "mAP@0.5" in capsys.readouterr().out


def test_features_of_another_extractor_are_refused(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A model rejects features of another extractor than that of its training features."""
    assert fit(videos) == 0
    features = videos.parent / "videos.motion"
    for origin in features.glob("*.json"):
        origin.write_text(json.dumps(json.loads(origin.read_text()) | {"extractor": "other"}))
    database = {
        "run": {
            "subset": "validation",
            "duration": 4.0,
            "annotations": [{"label": "Run", "segment": [1.0, 2.0]}],
        }
    }
    path = videos.parent / "annotations.json"
    path.write_text(json.dumps({"database": database}))
    run = str(videos.parent / "run")
    given = ["--annotations", str(path), "--features", str(features)]
    assert main(["evaluate", run, *given]) == 1
    assert "'motion" in (told := capsys.readouterr().err)
    assert "'other'" in told
    one = next(features.glob("*.json"))
    one.write_text(json.dumps(json.loads(one.read_text()) | {"extractor": "third"}))
    for id_ in ("jump", "still"):
        database[id_] = database["run"]
    path.write_text(json.dumps({"database": database}))
    assert main(["evaluate", run, *given]) == 1
    assert "several extractors" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        ([], 2, "expected --data DIR"),
        (["--videos", "v"], 2, "expected --data DIR"),
        (["--tags", "t.csv", "--features", "f"], 2, "expected --data DIR"),
        (["--videos", "v", "--tags", "absent.csv"], 1, "no tag file absent.csv"),
    ],
)
def test_incomplete_arguments_say_what_is_expected(
    options: list[str],
    status: int,
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Missing options are wrong usage; a missing file is an error of the data."""
    assert main(["fit", *options, "--out", str(tmp_path)]) == status
    assert message in capsys.readouterr().err


def test_tags_that_name_no_video_are_refused(
    videos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names a video that the folder contains."""
    (videos.parent / "tags.csv").write_text("video,label\nother.mp4,Run\n")
    assert fit(videos) == 1
    assert "names none of the 4 videos" in capsys.readouterr().err
