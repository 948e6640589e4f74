"""The same data set in every layout is read into the same records."""

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from model.errors import DataError, FeatureError
from model.segments import Segment
from training.__main__ import main
from training.datasets.conversion import write_native
from training.datasets.inspection import inspect_data
from training.datasets.layouts import basnet
from training.datasets.opening import LAYOUTS, layout_of, open_data
from training.datasets.video_record import VideoSet

FPS, SNIPPETS, HALF = 25.0, 10, 3
DURATION_S = SNIPPETS * 16 / FPS
JUMP = Segment(1.0, 2.5, "Jump")


def stream(name: str) -> np.ndarray:
    """One stream of a video's features, (T, D / 2)."""
    seed = sum(name.encode())
    return np.random.default_rng(seed).random((SNIPPETS, HALF), dtype=np.float32)


def joint(video: str) -> np.ndarray:
    return np.concatenate([stream(f"{video} rgb"), stream(f"{video} flow")], axis=1)


def database(*, duration: bool, train: str, test: str) -> str:
    """Annotations of training videos `a` and `b` and test video `c`, with quoted numbers."""
    mark = {"label": "Jump", "segment": ["1.0", "2.5"]}
    entries = {
        "a": {"subset": train, "annotations": [mark]},
        "b": {"subset": train, "annotations": [{"label": "Run", "segment": ["0", "3"]}]},
        "c": {"subset": test, "annotations": [mark]},
    }
    for entry in entries.values():
        if duration:
            entry["duration"] = DURATION_S  # type: ignore[assignment]
    return json.dumps({"database": entries})


def write_native_layout(folder: Path) -> None:
    text = database(duration=True, train="training", test="test")
    (folder / "annotations.json").write_text(text)
    (folder / "features").mkdir()
    for video in "abc":
        np.save(folder / "features" / f"{video}.npy", joint(video))


def write_basnet(folder: Path) -> None:
    (folder / "gt.json").write_text(database(duration=False, train="train", test="test"))
    (folder / "fps_dict.json").write_text(json.dumps(dict.fromkeys("abc", FPS)))
    for split, videos in (("train", "ab"), ("test", "c")):
        (folder / f"split_{split}.txt").write_text("\n".join(videos) + "\n")
        for kind in ("rgb", "flow"):
            place = folder / "features" / split / kind
            place.mkdir(parents=True)
            for video in videos:
                np.save(place / f"{video}.npy", stream(f"{video} {kind}"))


def objects(*values: object) -> np.ndarray:
    array = np.empty(len(values), dtype=object)
    array[:] = values
    return array


def write_wtalc(folder: Path) -> None:
    np.save(folder / "Thumos14-I3D-JOINTFeatures.npy", objects(*map(joint, "abc")))
    notes = folder / "Thumos14-Annotations"
    notes.mkdir()
    labels = objects(["Jump"], ["Run"], ["Jump"])
    for name, values in {
        "videoname": np.array([b"a", b"b", b"c"]),
        "subset": np.array([b"train", b"train", b"test"]),
        "labels": labels,
        "labels_all": labels,
        "segments": objects([[1.0, 2.5]], [[0.0, 3.0]], [[1.0, 2.5]]),
    }.items():
        np.save(notes / f"{name}.npy", values)


def write_released(folder: Path) -> None:
    (folder / "gt.json").write_text(database(duration=False, train="val", test="test"))
    (folder / "labels.txt").write_text("Jump\nRun\n")
    for subset, videos in (("val", "ab"), ("test", "c")):
        (folder / subset).mkdir()
        for video in videos:
            np.savez(
                folder / subset / f"{video}.npz",
                feat_spa=stream(f"{video} rgb").T,
                feat_tem=stream(f"{video} flow").T,
                cls_label=np.array([video != "b", video == "b"], dtype=np.float32),
                vid_name=video,
                frame_num=SNIPPETS * 16,
                fps=FPS,
            )


def write_activitynet(folder: Path) -> None:
    text = database(duration=True, train="training", test="test")
    (folder / "activity_net.v1-3.min.json").write_text(text)
    (folder / "features").mkdir()
    for video in "abc":
        np.save(folder / "features" / f"v_{video}.npy", joint(video))


def write_activitynet_hdf5(folder: Path) -> None:
    text = database(duration=True, train="training", test="test")
    (folder / "activity_net.v1-3.min.json").write_text(text)
    with h5py.File(folder / "i3d.h5", "w") as file:
        file["v_a"] = joint("a")
        file["b"] = joint("b")
        file["v_c/features"] = joint("c")


WRITERS = {
    "native": write_native_layout,
    "BaS-Net": write_basnet,
    "W-TALC": write_wtalc,
    "released ECM": write_released,
    "ActivityNet": write_activitynet,
    "ActivityNet, HDF5": write_activitynet_hdf5,
}


def assert_is_the_data_set(videos: VideoSet) -> None:
    assert videos.classes == ("Jump", "Run")
    assert [(v.id, v.subset, v.labels) for v in videos.videos] == [
        ("a", "training", ("Jump",)),
        ("b", "training", ("Run",)),
        ("c", "test", ("Jump",)),
    ]
    assert [v.instances for v in videos.videos] == [(JUMP,), (Segment(0, 3, "Run"),), (JUMP,)]
    for video in videos.videos:
        assert video.duration_s == pytest.approx(DURATION_S)
        np.testing.assert_array_equal(video.features(), joint(video.id))


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_is_detected_and_gives_the_same_records(name: str, tmp_path: Path) -> None:
    """Before and after conversion to the native layout."""
    (tmp_path / "data").mkdir()
    WRITERS[name](tmp_path / "data")
    assert layout_of(tmp_path / "data") == name.partition(",")[0]
    assert_is_the_data_set(open_data(tmp_path / "data"))
    command = ["convert", "--data", str(tmp_path / "data"), "--out", str(tmp_path / "native")]
    assert main(command) == 0
    shutil.rmtree(tmp_path / "data")
    assert layout_of(tmp_path / "native") == "native"
    assert_is_the_data_set(open_data(tmp_path / "native"))
    assert main(["check", "--data", str(tmp_path / "native")]) == 0


@pytest.mark.parametrize("name", WRITERS)
def test_every_layout_trains(name: str, tmp_path: Path) -> None:
    """`fit --data` and `evaluate --data` accept the folder."""
    (tmp_path / "data").mkdir()
    WRITERS[name](tmp_path / "data")
    small = ["--epochs", "1", "--hidden-width", "8", "--snippets", "8", "--device", "cpu"]
    out = str(tmp_path / "run")
    assert main(["fit", "--data", str(tmp_path / "data"), "--out", out, *small]) == 0
    assert main(["evaluate", out, "--data", str(tmp_path / "data"), "--subset", "test"]) == 0


def test_error_for_an_unknown_layout_lists_the_known_ones(tmp_path: Path) -> None:
    """The message has the files of every layout and those of the folder."""
    (tmp_path / "holiday.jpg").touch()
    with pytest.raises(DataError) as caught:
        open_data(tmp_path)
    for word in (*LAYOUTS, "JOINTFeatures", "feat_spa", "split_train.txt", "holiday.jpg"):
        assert word in str(caught.value)
    with pytest.raises(DataError, match="no data folder"):
        open_data(tmp_path / "absent")


def test_the_real_thumos14_annotations_are_read(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """Quoted numbers, splits and frame rates; the features of two videos are made up."""
    for path in shared("data/thumos14").iterdir():
        shutil.copy(path, tmp_path)
    ids = {"train": "video_validation_0000051", "test": "video_test_0000004"}
    for split, id_ in ids.items():
        for kind in ("rgb", "flow"):
            place = tmp_path / "features" / split / kind
            place.mkdir(parents=True)
            np.save(place / f"{id_}.npy", stream(kind))
    videos = basnet.read(tmp_path)
    assert len(videos.classes) == 20
    assert [video.id for video in videos.videos] == list(ids.values())
    assert [video.subset for video in videos.videos] == ["training", "test"]
    assert all(video.instances for video in videos.videos)


class Harmful:
    """A pickle that creates a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return Path.touch, (self.path,)  # type: ignore[return-value]


def test_wtalc_files_run_no_code(tmp_path: Path) -> None:
    """Objects other than arrays and containers are refused, and so are damaged pickles."""
    write_wtalc(tmp_path)
    features = tmp_path / "Thumos14-I3D-JOINTFeatures.npy"
    whole = features.read_bytes()
    np.save(features, objects(Harmful(tmp_path / "harm"), joint("b"), joint("c")))
    with pytest.raises(DataError, match="only plain arrays"):
        open_data(tmp_path)
    assert not (tmp_path / "harm").exists()
    for damaged in (whole[:-50], whole[:20], b""):
        features.write_bytes(damaged)
        with pytest.raises(DataError, match="JOINTFeatures"):
            open_data(tmp_path)
    header = whole[: whole.index(b"\n") + 1]
    features.write_bytes(header + pickle.dumps(["too", "few"]))
    with pytest.raises(DataError):
        open_data(tmp_path)


def test_damaged_files_are_named(tmp_path: Path) -> None:
    """Streams of different lengths, a damaged archive, a damaged HDF5 file, differing classes."""
    for name in ("basnet", "released", "hdf5"):
        (tmp_path / name).mkdir()
    write_basnet(tmp_path / "basnet")
    np.save(tmp_path / "basnet/features/train/flow/a.npy", stream("a")[:-1])
    with pytest.raises(DataError, match="equally many snippets"):
        open_data(tmp_path / "basnet").videos[0].features()
    write_released(tmp_path / "released")
    (tmp_path / "released/labels.txt").write_text("Jump\n")
    with pytest.raises(DataError, match="names 1 classes, cls_label has 2"):
        open_data(tmp_path / "released")
    (tmp_path / "released/val/a.npz").write_bytes(b"no archive")
    with pytest.raises(FeatureError, match=r"a\.npz"):
        open_data(tmp_path / "released")
    write_activitynet(tmp_path / "hdf5")
    (tmp_path / "hdf5/features.h5").write_bytes(b"no HDF5")
    with pytest.raises(DataError, match="HDF5"):
        open_data(tmp_path / "hdf5")


def test_check_lists_all_problems(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """NaN, a damaged file, another width, segments outside or reversed, an unseen class."""
    (tmp_path / "features").mkdir()
    marks = {
        "good": [{"label": "Jump", "segment": [0, 2]}],
        "nan": [{"label": "Jump"}],
        "cut": [{"label": "Jump"}],
        "wide": [{"label": "Jump", "segment": [5, 9]}],
        "late": [{"label": "Jump", "segment": [90, 99]}, {"label": "Run"}],
    }
    entries = {
        id_: {"subset": "training", "duration": 10, "annotations": m} for id_, m in marks.items()
    }
    entries["test"] = {"subset": "test", "duration": 10, "annotations": [{"label": "Swim"}]}
    entries["back"] = {"subset": "test", "duration": 10,
                       "annotations": [{"label": "Jump", "segment": [4, 3]}]}  # fmt: skip
    (tmp_path / "annotations.json").write_text(json.dumps({"database": entries}))
    for id_ in entries:
        np.save(tmp_path / "features" / f"{id_}.npy", np.ones((10, 4), dtype=np.float32))
    np.save(tmp_path / "features/nan.npy", np.full((10, 4), np.nan, dtype=np.float32))
    np.save(tmp_path / "features/wide.npy", np.ones((10, 5), dtype=np.float32))
    (tmp_path / "features/cut.npy").write_bytes(b"\x93NUMPY")
    report = inspect_data(open_data(tmp_path))
    for words in (
        ("nan", "NaN"), ("cut.npy", "readable"), ("differ in width", "5"), ("late", "outside"),
        ("late", "no segment of ['Run']"), ("back", "does not end"), ("test", "['Swim']"),
    ):  # fmt: skip
        found = report.problems + report.remarks
        assert any(all(w in sentence for w in words) for sentence in found), words
    assert len(report.problems) == 3
    assert report.subsets["training"].videos == 5
    assert report.subsets["training"].snippets == 30
    assert main(["check", "--data", str(tmp_path)]) == 1
    assert "3 problems" in capsys.readouterr().err


def test_interrupted_conversion_is_resumed(tmp_path: Path) -> None:
    """Written files stay; the error names the damaged video, and no partial file is left."""
    (tmp_path / "data").mkdir()
    write_native_layout(tmp_path / "data")
    (tmp_path / "data/features/b.npy").write_bytes(b"")
    videos = open_data(tmp_path / "data")
    with pytest.raises(DataError, match=r"b\.npy"):
        write_native(videos, tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").rglob("*") if path.is_file()] == ["a.npy"]
    np.save(tmp_path / "data/features/b.npy", joint("b"))
    written = (tmp_path / "out/features/a.npy").stat().st_mtime_ns
    write_native(videos, tmp_path / "out")
    assert (tmp_path / "out/features/a.npy").stat().st_mtime_ns == written
    assert_is_the_data_set(open_data(tmp_path / "out"))


def test_conversion_replaces_features_of_other_data(tmp_path: Path) -> None:
    """Other features under the same id would otherwise stay, as would those of another shape."""
    (tmp_path / "data").mkdir()
    write_native_layout(tmp_path / "data")
    videos = open_data(tmp_path / "data")
    for stale in (joint("a") + 1, joint("a").T, joint("a").astype(np.float64), np.zeros(3)):
        write_native(videos, tmp_path / "out")
        np.save(tmp_path / "out/features/a.npy", stale)
    write_native(videos, tmp_path / "out")
    assert_is_the_data_set(open_data(tmp_path / "out"))


@pytest.mark.parametrize(
    "arguments", [[], ["--annotations", "a"], ["--data", "d", "--features", "f"]]
)
def test_data_set_is_named_in_exactly_one_way(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Either a folder, or annotations and features."""
    assert main(["check", *arguments]) == 2
    assert "expected --data DIR, or" in capsys.readouterr().err
