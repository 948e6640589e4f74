"""The layout of BaS-Net and CoLA: its clock, and the errors of its reader."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError, OptionError
from training.commands.data import DataOptions
from training.datasets.feature_clock import FeatureRate
from training.datasets.layouts import basnet

SNIPPETS = 10


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Training video `a` and test video `b`, without fps_dict.json."""
    entries = {
        id_: {"subset": "x", "annotations": [{"label": "Jump", "segment": ["1.0", "2.5"]}]}
        for id_ in "ab"
    }
    (tmp_path / "gt.json").write_text(json.dumps({"database": entries}))
    for split, id_ in (("train", "a"), ("test", "b")):
        (tmp_path / f"split_{split}.txt").write_text(f"{id_}\n")
        for stream in ("rgb", "flow"):
            path = tmp_path / "features" / split / stream / f"{id_}.npy"
            path.parent.mkdir(parents=True)
            np.save(path, np.ones((SNIPPETS, 3), np.float32))
    return tmp_path


@pytest.mark.parametrize("rates", [None, {"a": 30.0, "b": 24.0}, {}, ["a list"]])
def test_snippets_are_16_frames_at_25_a_second(folder: Path, rates: object) -> None:
    """Whatever fps_dict.json contains, because it has the rates of the original videos."""
    if rates is not None:
        (folder / "fps_dict.json").write_text(json.dumps(rates))
    assert [video.duration_s for video in basnet.read(folder).videos] == [SNIPPETS * 0.64] * 2


def test_rate_and_stride_are_options(folder: Path) -> None:
    """Features of 8 frames at 30 a second last 8 / 30 s; impossible rates are named."""
    videos = DataOptions(data=folder, feature_fps=30.0, feature_stride=8).read().videos
    assert videos[0].duration_s == pytest.approx(SNIPPETS * 8 / 30)
    for fps in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="feature rate above 0"):
            FeatureRate(fps=fps)
    with pytest.raises(OptionError, match="stride of at least 1 frame"):
        FeatureRate(stride_frames=0)


def test_reference_case_has_the_authors_clock(shared: Callable[[str], Path]) -> None:
    """Its fps_dict.json says 30, and a snippet lasts 0.64 s all the same."""
    videos = basnet.read(shared("data/cases/datasets/basnet_lacp"))
    for video in videos.videos:
        assert video.duration_s == pytest.approx(len(video.features()) * 0.64)
    assert not videos.remarks


@pytest.mark.parametrize("stream", ["rgb", "flow"])
def test_video_with_one_stream_is_left_out_and_named(
    folder: Path, stream: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One stream alone has half of the channels; its file is listed as used by no video."""
    (folder / "features/test" / stream / "b.npy").unlink()
    with caplog.at_level(logging.WARNING):
        videos = basnet.read(folder)
    assert [video.id for video in videos.videos] == ["a"]
    assert videos.missing == ("b",)
    assert "1 of 2 videos" in caplog.text
    assert ": b" in caplog.text


def test_video_without_annotation_is_an_error(folder: Path) -> None:
    """The message has the video, its split file and gt.json."""
    (folder / "split_test.txt").write_text("c\n")
    with pytest.raises(DataError, match=r"'c' of split_test\.txt has no entry in gt\.json"):
        basnet.read(folder)


def test_blank_lines_and_spaces_in_a_split_file_count_nothing(folder: Path) -> None:
    """Nor does a byte order mark, a repeated line, or the line end of Windows."""
    (folder / "split_train.txt").write_bytes(b"\xef\xbb\xbf\r\n  a \r\n\r\na\r\n")
    assert [video.id for video in basnet.read(folder).videos] == ["a", "b"]


def test_video_in_both_splits_is_an_error(folder: Path) -> None:
    """A network would be judged by a video that it learned from."""
    (folder / "split_test.txt").write_text("a\nb\n")
    with pytest.raises(DataError, match="'a' is in both split files"):
        basnet.read(folder)


def test_absent_split_file_is_an_error_with_its_path(folder: Path) -> None:
    """A folder in its place is one as well."""
    (folder / "split_test.txt").unlink()
    for _ in range(2):
        with pytest.raises(DataError, match=r"split_test\.txt cannot be read"):
            basnet.read(folder)
        (folder / "split_test.txt").mkdir(exist_ok=True)


def test_files_that_no_split_names_are_listed(folder: Path) -> None:
    """A video in the folder of the other split is not found, so its file is listed, too."""
    np.save(folder / "features/train/rgb/b.npy", np.ones((SNIPPETS, 3), np.float32))
    assert basnet.read(folder).unnamed == ("features/train/rgb/b.npy",)
