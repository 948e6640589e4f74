"""Arrays of one video: several streams, exchanged axes, groups of an HDF5 file."""

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from model.errors import DataError, FeatureError
from training.datasets.feature_files import (
    ArchiveMember,
    FeatureSource,
    Hdf5Array,
    HeldArray,
    Streams,
    snippets_first,
)
from training.datasets.opening import open_data

LENGTHS = (10, 14, 17, 21)


def held(*shapes: tuple[int, ...]) -> dict[str, FeatureSource]:
    return {str(n): HeldArray(np.zeros(shape, np.float32)) for n, shape in enumerate(shapes)}


def test_arrays_of_an_archive_are_read_by_name(tmp_path: Path) -> None:
    """An absent, damaged or pickled array is an error with its file and its name."""
    path = tmp_path / "a.npz"
    np.savez(path, x=np.ones((2, 3)), pickled=np.array([{}], dtype=object))
    assert ArchiveMember(path, "x").load().shape == (2, 3)
    for name in ("absent", "pickled"):
        with pytest.raises(FeatureError, match=rf"a\.npz: {name} cannot be read"):
            ArchiveMember(path, name).load()
    with pytest.raises(FeatureError, match=r"no feature file .*b\.npz"):
        ArchiveMember(tmp_path / "b.npz", "x").load()
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(FeatureError, match=r"a\.npz: x cannot be read"):
        ArchiveMember(path, "x").load()


def test_arrays_of_an_hdf5_file_are_read_by_key(tmp_path: Path) -> None:
    """An absent key or file is an error with both."""
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["v/x"] = np.ones((2, 3))
    assert Hdf5Array(tmp_path / "a.h5", "v/x").load().shape == (2, 3)
    for name, key in (("a.h5", "v/y"), ("b.h5", "v/x")):
        with pytest.raises(FeatureError, match=f"{name}: {key} cannot be read"):
            Hdf5Array(tmp_path / name, key).load()


@pytest.mark.parametrize("shapes", [[(5, 3), (4, 3)], [(5, 3), (5,)], [(5,), (5, 3)]])
def test_streams_of_other_lengths_or_axes_are_refused(shapes: list[tuple[int, ...]]) -> None:
    """The message has the shapes; one stream alone is taken as it is."""
    parts = tuple(HeldArray(np.zeros(shape)) for shape in shapes)
    with pytest.raises(FeatureError, match=r"equally many snippets, got shapes .* and "):
        Streams(parts).load()
    assert Streams(parts[:1]).load().shape == shapes[0]


def test_few_of_many_proper_videos_are_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    """Eight videos suffice to see that the axes are as expected."""
    opened: list[HeldArray] = []
    monkeypatch.setattr(HeldArray, "load", lambda one: opened.append(one) or one.array_TD)
    assert snippets_first(held(*((length, 6) for length in range(5, 25)))) is None
    assert len(opened) == 8


def test_exchanged_axes_are_recognised_by_the_lengths() -> None:
    """All videos have the same channels, so only the other axis can differ."""
    turned = snippets_first(held(*((6, length) for length in LENGTHS)))
    assert turned is not None
    assert [source.load().shape for source in turned.values()] == [(n, 6) for n in LENGTHS]


def test_unreadable_files_say_nothing_about_the_axes() -> None:
    """The others are judged; three of them are enough."""
    absent = ArchiveMember(Path("absent.npz"), "x")
    turned = snippets_first({"absent": absent, **held(*((6, length) for length in LENGTHS[:3]))})
    assert turned is not None
    assert snippets_first({"absent": absent, **held((6, 10), (6, 14))}) is None


def test_streams_are_turned_before_they_are_joined() -> None:
    """Joined as they are, (3, 10) and (3, 10) would be three snippets of 20 channels."""
    streams = {
        str(n): Streams((HeldArray(np.zeros((3, n))), HeldArray(np.ones((3, n))))) for n in LENGTHS
    }
    turned = snippets_first(streams)
    assert turned is not None
    assert [source.load().shape for source in turned.values()] == [(n, 6) for n in LENGTHS]
    assert snippets_first(turned) is None


@pytest.mark.parametrize(
    "shapes",
    [
        [(n, 6) for n in LENGTHS],
        [(6, 10)] * 4,
        [(6, 10), (6, 14)],
        [(6, 10), (6, 10), (6, 10), (6, 14)],
        [(6, 10), (7, 14), (6, 17)],
        [(6,), (6, 14), (6, 17)],
        [],
    ],
)
def test_axes_that_lengths_do_not_decide_stay(shapes: list[tuple[int, ...]]) -> None:
    """Proper features, one length, two videos, one video of other width, one axis, no video."""
    assert snippets_first(held(*shapes)) is None


def hdf5_folder(folder: Path, arrays: dict[str, np.ndarray]) -> Path:
    """Writes an HDF5 file and annotations of videos `a` and `b`."""
    entry = {"subset": "training", "duration": 8.0, "annotations": [{"label": "Jump"}]}
    (folder / "activity_net.json").write_text(json.dumps({"database": {"a": entry, "b": entry}}))
    with h5py.File(folder / "features.h5", "w") as file:
        for key, array in arrays.items():
            file[key] = array
    return folder


def test_rgb_and_flow_of_a_group_are_joined(tmp_path: Path) -> None:
    """At any depth, RGB first; an array alone in its group is taken as it is."""
    rgb, flow = np.full((5, 3), 1, np.float32), np.full((5, 3), 2, np.float32)
    hdf5_folder(tmp_path, {"v_a/i3d/flow": flow, "v_a/i3d/RGB": rgb, "b/deep/er/x": rgb})
    first, second = open_data(tmp_path).videos
    np.testing.assert_array_equal(first.features(), np.concatenate([rgb, flow], axis=1))
    np.testing.assert_array_equal(second.features(), rgb)


@pytest.mark.parametrize("keys", [("rgb", "depth"), ("rgb", "flow", "audio"), ("x/rgb", "y/rgb")])
def test_other_groups_are_refused_by_name(keys: tuple[str, ...], tmp_path: Path) -> None:
    """No array is chosen in silence."""
    arrays = {f"v_a/{key}": np.ones((5, 3), np.float32) for key in keys}
    with pytest.raises(
        DataError, match=r"'v_a' contains v_a/.*expected one array, or rgb and flow"
    ):
        open_data(hdf5_folder(tmp_path, arrays))


def test_empty_group_is_refused(tmp_path: Path) -> None:
    """The message has the group."""
    hdf5_folder(tmp_path, {})
    with h5py.File(tmp_path / "features.h5", "a") as file:
        file.create_group("v_a")
    with pytest.raises(DataError, match="'v_a' contains no array"):
        open_data(tmp_path)


def test_reference_case_has_both_streams(shared: Callable[[str], Path]) -> None:
    """Groups `v_ID/i3d_features/{rgb,flow}` of 3 channels each."""
    videos = open_data(shared("data/cases/datasets/mdvc_hdf5/nested"))
    assert {video.features().shape[1] for video in videos.videos} == {6}
