"""`ecm cross-validate` and `ecm oracle` from the command line."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from training.__main__ import main
from training.datasets.video_record import VideoSet

SMALL = ["--epochs", "2", "--hidden-width", "8", "--snippets", "16", "--device", "cpu"]


@pytest.fixture
def data(simulated: VideoSet) -> list[str]:
    annotations = Path(simulated.source)
    features = annotations.parent / "features"
    return ["--annotations", str(annotations), "--features", str(features)]


def test_cross_validation_prints_figures_with_intervals(
    data: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """MAP at each threshold and the tags, of all training videos."""
    assert main(["cross-validate", *data, *SMALL, "--folds", "2", "--tiou", "0.3", "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert list(figures) == ["mAP@0.3", "mAP", "tagging_mAP", "tagging_AUC"]
    assert all(one["low"] <= one["high"] for one in figures.values())


def test_groups_divide_the_videos(
    data: list[str], simulated: VideoSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three groups make three networks; a video without a group is an error that names it."""
    ids = simulated.subset("training").ids
    rows = [f"{id_},camera {n % 3}" for n, id_ in enumerate(ids)]
    table = tmp_path / "groups.csv"
    table.write_text("\n".join(["video,group", *rows]))
    assert main(["cross-validate", *data, *SMALL, "--groups", str(table)]) == 0
    assert "24 videos or parts of videos, 3 networks" in capsys.readouterr().out
    table.write_text("\n".join(["video,group", *rows[1:]]))
    assert main(["cross-validate", *data, *SMALL, "--groups", str(table)]) == 1
    assert f"1 videos have no group, for instance {ids[0]!r}" in capsys.readouterr().err


def test_videos_with_tags_alone_have_figures_of_their_tags(
    tmp_path: Path, film: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """The films are of two kinds, and each kind shows a scene of its own in both classes."""
    folder = tmp_path / "videos"
    folder.mkdir()
    rows = ["video,label"]
    for number in range(6):
        rate = 12.5 * (1 + number % 2)
        film(folder / f"v{number}.mp4", [n / rate for n in range(int(2 * rate))])
        rows.append(f"v{number}.mp4,{'Run' if number < 3 else ''}")
    (tmp_path / "tags.csv").write_text("\n".join(rows))
    tags = ["--videos", str(folder), "--tags", str(tmp_path / "tags.csv")]
    assert main(["cross-validate", *tags, *SMALL, "--folds", "2"]) == 0
    output = capsys.readouterr().out
    assert "tagging_AUC" in output
    assert "mAP@" not in output


@pytest.mark.parametrize(
    ("option", "value"), [("--tiou", "none"), ("--dropout", "1"), ("--groups", "absent.csv")]
)
def test_wrong_option_ends_before_extraction(
    option: str, value: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the value, and no folder of features is made."""
    folder = tmp_path / "videos"
    folder.mkdir()
    (folder / "v.mp4").write_bytes(b"no video")
    (tmp_path / "tags.csv").write_text("video,label\nv.mp4,Run\n")
    words = ["--videos", str(folder), "--tags", str(tmp_path / "tags.csv"), option, value]
    assert main(["cross-validate", *words]) in (1, 2)
    assert value in capsys.readouterr().err
    assert not (tmp_path / "videos.motion").exists()


def test_oracle_prints_the_ceiling(data: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """MAP on the validation videos of a network that was taught the times of the others."""
    assert main(["oracle", *data, *SMALL, "--tiou", "0.5"]) == 0
    assert "taught the true times, on validation:\nmAP@0.5" in capsys.readouterr().out
