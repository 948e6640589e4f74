"""The layout of W-TALC: its clock, subsets and columns."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from training.datasets.feature_clock import FeatureRate
from training.datasets.layouts import wtalc

SNIPPETS = 10


def objects(*values: object) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def write(folder: Path, kind: str = "I3D", **columns: np.ndarray) -> Path:
    """Writes video `a` to learn from and video `b` to test on; columns can be replaced."""
    lengths = (SNIPPETS, SNIPPETS + 1)
    features = objects(*(np.ones((length, 4), np.float32) for length in lengths))
    np.save(folder / f"X-{kind}-JOINTFeatures.npy", features)
    notes = folder / "X-Annotations"
    notes.mkdir(exist_ok=True)
    labels = objects([b"Jump", b"Jump"], ["Run"])
    table = {
        "videoname": np.array([b"a", b"b"]),
        "subset": np.array([b"validation", b"test"]),
        "labels": labels,
        "labels_all": labels,
        "segments": objects([[1.0, 2.5], [3.0, 4.0]], [[0.0, 3.0]]),
    }
    for name, values in (table | columns).items():
        np.save(notes / f"{name}.npy", values)
    return folder


@pytest.mark.parametrize(("kind", "snippet_s"), [("I3D", 0.64), ("UNT", 0.4)])
def test_snippets_have_the_rate_of_the_authors_code(
    kind: str, snippet_s: float, tmp_path: Path
) -> None:
    """Whatever extracted_fps.npy and duration.npy contain; an option comes first."""
    columns = {"extracted_fps": np.array([10, 30]), "duration": np.array([[7.0], [6.0]])}
    first, second = wtalc.read(write(tmp_path, kind, **columns)).videos
    assert first.duration_s == pytest.approx(SNIPPETS * snippet_s)
    assert (first.annotated_s, second.annotated_s) == (7.0, 6.0)
    rate = FeatureRate(fps=10, stride_frames=5)
    assert wtalc.read(tmp_path, rate).videos[0].duration_s == pytest.approx(SNIPPETS * 0.5)


def test_validation_is_learned_from_and_test_measured(tmp_path: Path) -> None:
    """As in THUMOS14; labels as bytes and as text are the same."""
    first, second = wtalc.read(write(tmp_path)).videos
    assert (first.subset, first.labels, len(first.instances)) == ("training", ("Jump",), 2)
    assert (second.subset, second.labels) == ("test", ("Run",))


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
def test_both_formats_of_npy_are_read(tmp_path: Path, version: tuple[int, int]) -> None:
    """Format 2 only has room for longer headers."""
    for path in write(tmp_path).rglob("*.npy"):
        values = np.load(path, allow_pickle=True)
        with path.open("wb") as file:
            np.lib.format.write_array(file, values, version=version)
    first, second = wtalc.read(tmp_path).videos
    assert (first.labels, second.labels) == (("Jump",), ("Run",))


def test_features_of_two_kinds_are_refused(tmp_path: Path) -> None:
    """Neither is chosen in silence."""
    write(tmp_path, "I3D")
    write(tmp_path, "UNT")
    with pytest.raises(DataError, match=r"expected one file of features, got X-I3D.*, X-UNT"):
        wtalc.read(tmp_path)


@pytest.mark.parametrize(
    ("column", "values", "message"),
    [
        ("videoname", np.array([b"a", b"a"]), "each video once, got 'a' several times"),
        ("subset", np.array([b"test"]), "2 videos, but 1 in subset"),
        ("duration", np.array([4.0]), "2 videos, but 1 in durations"),
        ("duration", np.array([4.0, 0.0]), "'b': duration must be above 0"),
        ("labels_all", objects([b"\xff"], ["Run"]), "'a': expected a label as text in UTF-8"),
        ("subset", np.array([None, b"test"]), "expected subset as text, got None"),
        ("segments", objects([[1.0, 2.5]], [[0.0, 3.0]]), "'a': labels and segments do not fit"),
    ],
)
def test_columns_that_do_not_fit_are_named(
    column: str, values: np.ndarray, message: str, tmp_path: Path
) -> None:
    """The message has the column or the video."""
    with pytest.raises(DataError, match=message):
        wtalc.read(write(tmp_path, **{column: values}))


def test_labels_that_are_none_are_no_class(tmp_path: Path) -> None:
    """Such a video is left out; numbers are names of classes."""
    labels = objects([None], np.array([3, 3]))
    write(tmp_path, labels_all=labels, labels=objects([], []), segments=objects([], []))
    videos = wtalc.read(tmp_path)
    assert [(video.id, video.labels) for video in videos.videos] == [("b", ("3",))]


def test_absent_column_is_named(tmp_path: Path) -> None:
    """The message has its path."""
    (write(tmp_path) / "X-Annotations/segments.npy").unlink()
    with pytest.raises(DataError, match=r"no file .*segments\.npy"):
        wtalc.read(tmp_path)


def test_reference_cases_open(shared: Callable[[str], Path]) -> None:
    """THUMOS14 with `validation` and `test`, and GTEA with `training` and `validation`."""
    for name, subsets in (("wtalc_thumos", {"training", "test"}),
                          ("gtea", {"training", "validation"})):  # fmt: skip
        videos = wtalc.read(shared(f"data/cases/datasets/{name}"))
        assert {video.subset for video in videos.videos} == subsets
        assert not any("feature rate" in remark for remark in videos.remarks)
