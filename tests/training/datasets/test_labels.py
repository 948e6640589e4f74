"""Labels, subsets and keys as files spell them: named, and never learned from in silence."""

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.segments import Segment
from training.__main__ import main
from training.commands.data import DataOptions
from training.datasets.annotations import subset_name
from training.datasets.labels import class_remarks, read_labels, text, without_repeats
from training.datasets.opening import open_data
from training.datasets.video_record import VideoSet

TIMED = {"label": "Run", "segment": [1, 5]}


def data_set(folder: Path, **entries: dict) -> VideoSet:
    """Returns a native data set with such entries, and with the video `good` of class Jump."""
    entries = {"good": {"annotations": [{"label": "Jump"}]}, **entries}
    (folder / "features").mkdir(exist_ok=True)
    for id_, entry in entries.items():
        np.save(folder / "features" / f"{id_}.npy", np.ones((10, 4), np.float32))
        entry.setdefault("subset", "training")
        entry.setdefault("duration", 10)
    (folder / "annotations.json").write_text(json.dumps({"database": entries}))
    return open_data(folder)


@pytest.mark.parametrize(
    ("entry", "labels", "remark"),
    [
        ({"annotations": [{"label": "Jump "}]}, ("Jump",), "'Jump ' is read as 'Jump'"),
        ({"annotations": [{"label": "High\u00a0 jump"}]}, ("High jump",), "is read as 'High jump'"),
        ({"annotations": [{"label": ["Jump", "Run"]}]}, ("Jump", "Run"), "is a list"),
        ({"annotations": [{"label": ""}]}, None, "label is empty"),
        ({"annotations": [{"label": " "}, {"label": "Jump"}]}, None, "label is empty"),
        ({"annotations": [{"label": None}]}, None, "label is null"),
        ({"annotations": [{"label": []}]}, None, "is a list"),
        ({"annotation": [TIMED]}, None, "expected the key 'annotations', got 'annotation'"),
        ({"labels": ["Run"]}, None, "expected the key 'annotations', got 'labels'"),
        ({"annotations": [TIMED, TIMED]}, ("Run",), "occurs 2 times, counted once"),
    ],
)
def test_odd_labels_are_named(
    entry: dict,
    labels: tuple[str, ...] | None,
    remark: str,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A video whose labels cannot be known is left out, instead of being learned as one of none."""
    with caplog.at_level(logging.WARNING):
        videos = data_set(tmp_path, odd=entry)
    assert {v.id: v.labels for v in videos.videos}.get("odd") == labels
    assert any("'odd'" in one and remark in one for one in videos.remarks)
    assert remark in caplog.text
    assert "" not in videos.classes
    assert "None" not in videos.classes


@pytest.mark.parametrize("label", [True, 1.5, {"name": "Jump"}])
def test_labels_that_are_no_text_are_errors(label: object, tmp_path: Path) -> None:
    """The message has the video and the value; whole numbers are names of classes."""
    with pytest.raises(DataError, match=r"video 'odd': expected a label as text, got"):
        data_set(tmp_path, odd={"annotations": [{"label": label}]})
    assert data_set(tmp_path, odd={"annotations": [{"label": 3}]}).classes == ("3", "Jump")


def test_repeated_segments_count_once(tmp_path: Path) -> None:
    """Twice the same instance could be found only once, which would lower every figure."""
    videos = data_set(tmp_path, odd={"annotations": [TIMED, TIMED]})
    assert videos.videos[1].instances == (Segment(1, 5, "Run"),)


def test_classes_that_suggest_a_slip_are_named() -> None:
    """Twins in case, accents or separators; several labels in one cell; THUMOS14's `Ambiguous`."""
    twins, joined, ambiguous = class_remarks(
        ["Jump_high", "jump high", "Fight, Crowd", "Ambiguous"]
    )
    assert "'Jump_high' and 'jump high' differ in spelling only" in twins
    assert "'Fight, Crowd' looks like several labels" in joined
    assert "--exclude-labels Ambiguous" in ambiguous
    assert len(class_remarks(["caf\u00e9", "cafe\u0301"])) == 1
    assert class_remarks(["Jump", "Run", "Long jump"]) == []


def test_reference_case_names_every_quirk(
    shared: Callable[[str], Path], capsys: pytest.CaptureFixture[str]
) -> None:
    """`check` lists all of them, and ends with 0, because none would stop `fit`."""
    assert main(["check", "--data", str(shared("data/cases/datasets/quirks"))]) == 0
    shown = capsys.readouterr().out
    for video in ("space", "empty", "null", "list", "dup", "coin"):
        assert f"'{video}'" in shown
    assert "'Jump' and 'jump'" in shown


@pytest.mark.parametrize(
    ("spelt", "name"),
    [("Training", "training"), ("TRAIN", "training"), ("val", "validation"), ("Val ", "validation"),
     ("Test", "test"), ("testing", "testing"), ("Extra", "Extra")],
)  # fmt: skip
def test_subset_names(spelt: str, name: str) -> None:
    """Whatever their case; unknown names stay."""
    assert subset_name(spelt) == name


def test_validation_and_test_without_training_is_learned_from(tmp_path: Path) -> None:
    """As THUMOS14's users mean it; with a training subset, validation stays validation."""
    jump = [{"label": "Jump"}]
    odd = {"annotations": jump, "subset": "test"}
    videos = data_set(tmp_path, good={"annotations": jump, "subset": "validation"}, odd=odd)
    assert [video.subset for video in videos.videos] == ["training", "test"]
    assert "'validation' is learned from" in videos.remarks[0]
    videos = data_set(tmp_path, odd=odd, more={"annotations": jump, "subset": "validation"})
    assert [video.subset for video in videos.videos] == ["training", "test", "validation"]
    videos = data_set(tmp_path, good={"annotations": jump, "subset": "validation"})
    assert [video.subset for video in videos.videos] == ["validation"]


def test_excluded_labels_leave_no_trace(tmp_path: Path) -> None:
    """Nor do videos that show nothing else; videos without any label stay."""
    both = {"annotations": [TIMED, {"label": "Ambiguous", "segment": [7, 8]}]}
    only = {"annotations": [{"label": "Ambiguous"}]}
    data_set(tmp_path, both=both, only=only, none={"annotations": []})
    options = DataOptions(data=tmp_path, exclude_labels=("Ambiguous",))
    videos = options.read()
    assert videos.classes == ("Jump", "Run")
    assert [(v.id, v.labels) for v in videos.videos] == [
        ("good", ("Jump",)), ("both", ("Run",)), ("none", ()),
    ]  # fmt: skip
    assert videos.videos[1].instances == (Segment(1, 5, "Run"),)
    with pytest.raises(DataError, match=r"no class \['ambiguous'\] to exclude; expected one of"):
        DataOptions(data=tmp_path, exclude_labels=("ambiguous",)).read()
    with pytest.raises(DataError, match="no video and class are left"):
        DataOptions(data=tmp_path, exclude_labels=("Ambiguous", "Jump", "Run")).read()


def test_bytes_are_text_in_utf_8() -> None:
    """MATLAB and HDF5 files have bytes; numbers are text as they are written."""
    assert read_labels("Größe".encode()) == (("Größe",), [])
    assert (text(b"v_1", name="a name"), text(np.int64(7), name="a name")) == ("v_1", "7")
    with pytest.raises(DataError, match=r"expected a name as text in UTF-8, got b'\\xff'"):
        text(b"\xff", name="a name")


def test_only_repeated_segments_are_remarked() -> None:
    """The order stays."""
    run, jump = Segment(1, 5, "Run"), Segment(0, 2, "Jump")
    assert without_repeats([run, jump]) == ((run, jump), [])
    assert without_repeats([run, jump, run]) == (
        (run, jump),
        ["segment Run [1, 5] occurs 2 times, counted once"],
    )
