import json
import logging
from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from model.segments import Segment
from model.spec import ExtractorIdentity
from training.datasets.feature_clock import FeatureRate
from training.datasets.layouts.native import matches, read, read_native


def write(
    folder: Path, database: object, *, features: tuple[str, ...] = ("v",)
) -> tuple[Path, Path]:
    annotations = folder / "annotations.json"
    annotations.write_text(json.dumps({"database": database}))
    (folder / "features").mkdir()
    for id_ in features:
        np.save(folder / "features" / f"{id_}.npy", np.zeros((4, 2), dtype=np.float16))
    return annotations, folder / "features"


def entry(**changes: object) -> dict:
    return {"subset": "training", "duration": 8.0, "annotations": [{"label": "a"}]} | changes


def test_reads_labels_with_and_without_times_and_quoted_numbers(tmp_path: Path) -> None:
    """Labels need no segment, and numbers may be quoted as in THUMOS14's files."""
    annotations = [
        {"label": "b", "segment": ["1.5", "2"]},
        {"label": "a"},
        {"label": "b", "segment": []},
    ]
    paths = write(tmp_path, {"v": entry(duration="8", annotations=annotations)})
    (video,) = read_native(*paths).videos
    assert video.labels == ("a", "b")
    assert video.instances == (Segment(1.5, 2.0, "b"),)
    assert video.duration_s == 8.0
    assert video.features().shape == (4, 2)


def test_videos_without_features_are_left_out_and_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Their labels remain classes, so the model's output does not depend on the files."""
    database = {"v": entry(), "gone": entry(annotations=[{"label": "z"}])}
    with caplog.at_level(logging.WARNING):
        videos = read_native(*write(tmp_path, database))
    assert [video.id for video in videos.videos] == ["v"]
    assert videos.classes == ("a", "z")
    assert "1 of 2 videos" in caplog.text
    assert "gone" in caplog.text


@pytest.mark.parametrize(("absent", "end"), [(5, "gone_4"), (6, "gone_4, ...")])
def test_warning_names_five_absent_videos(
    absent: int, end: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Of six, five and three dots."""
    database = {"v": entry()} | {f"gone_{number}": entry() for number in range(absent)}
    with caplog.at_level(logging.WARNING):
        videos = read_native(*write(tmp_path, database))
    assert caplog.messages[0].endswith(f": gone_0, gone_1, gone_2, gone_3, {end}")
    assert len(videos.missing) == absent


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_annotations_may_have_a_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    """Editors of Windows write one."""
    annotations, features = write(tmp_path, {"v": entry()})
    database = {"v": entry(annotations=[{"label": "Dîner"}])}
    text = json.dumps({"database": database}, ensure_ascii=False)
    annotations.write_bytes(text.encode(encoding))
    assert read_native(annotations, features).classes == ("Dîner",)


@pytest.mark.parametrize("name", ["v_abc", "abc_rgb", "abc"])
def test_files_are_found_under_other_spellings(name: str, tmp_path: Path) -> None:
    """The video keeps the id of the annotations; files that no row names are listed."""
    paths = write(tmp_path, {"abc": entry()}, features=(name, "other"))
    videos = read_native(*paths)
    assert [video.id for video in videos.videos] == ["abc"]
    assert videos.unnamed == ("other",)


def test_rate_stands_in_for_durations(tmp_path: Path) -> None:
    """Four snippets of 8 frames at 10 a second last 3.2 s, and the annotated 8 s are compared."""
    paths = write(tmp_path, {"v": entry()})
    (video,) = read_native(*paths, FeatureRate(fps=10, stride_frames=8)).videos
    assert (video.duration_s, video.annotated_s) == (3.2, 8.0)


@pytest.mark.parametrize(
    ("database", "message"),
    [
        ([], "database"),
        ({"v": entry(duration=float("inf"))}, "duration"),
        ({"v": entry(annotations=[{"label": "a", "segment": [0, float("nan")]}])}, "finite"),
        ({"v": entry(duration=0)}, "duration"),
        ({"v": {"subset": "training", "annotations": []}}, "duration"),
        ({"v": entry(annotations=[{"segment": [0, 1]}])}, "label"),
        ({"v": entry(annotations=[{"label": "a", "segment": ["x", 1]}])}, "'v'"),
        ({"v": entry(annotations=[])}, "no video has a label"),
        ({"../v": entry()}, "file name"),
        ({"other": entry()}, "'other'"),
        ({}, "none of 0 videos"),
    ],
)
def test_unusable_annotations_are_named(tmp_path: Path, database: object, message: str) -> None:
    """The message names the file and the video."""
    with pytest.raises(DataError, match=message):
        read_native(*write(tmp_path, database))


def test_absent_paths_and_subsets_are_named(tmp_path: Path) -> None:
    """A missing file, a missing folder, no JSON, and an unknown subset."""
    annotations, features = write(tmp_path, {"v": entry()})
    with pytest.raises(DataError, match="no annotation file"):
        read_native(tmp_path / "absent.json", features)
    with pytest.raises(DataError, match="no feature folder"):
        read_native(annotations, tmp_path / "absent")
    with pytest.raises(DataError, match=r"'test'.*training"):
        read_native(annotations, features).subset("test")
    annotations.write_text("{")
    with pytest.raises(DataError, match="JSON"):
        read_native(annotations, features)


def test_a_folder_of_both_parts_is_of_this_layout(tmp_path: Path) -> None:
    """Annotations alone and features alone are not; a rate reaches videos without durations."""
    assert not matches(tmp_path)
    timeless = {key: value for key, value in entry().items() if key != "duration"}
    annotations, features = write(tmp_path, {"v": timeless})
    assert matches(tmp_path)
    (video,) = read(tmp_path, FeatureRate(fps=25, stride_frames=50)).videos
    assert video.duration_s == 8.0
    annotations.unlink()
    assert not matches(tmp_path)
    annotations.write_text("{}")
    features.rename(tmp_path / "elsewhere")
    assert not matches(tmp_path)


def origin(features: Path, id_: str, extractor: str) -> None:
    """Writes the record of extraction beside the features of a video."""
    facts = {"video_sha256": "0", "extractor": extractor, "extractor_sha256": "1", "snippet_s": 2.0}
    (features / f"{id_}.json").write_text(json.dumps(facts))


def test_features_are_those_of_one_extractor(tmp_path: Path) -> None:
    """Their record names it; without any record it is unknown."""
    paths = write(tmp_path, {"v": entry(), "w": entry()}, features=("v", "w"))
    assert read_native(*paths).extractor == ExtractorIdentity()
    origin(paths[1], "v", "motion-2")
    with pytest.raises(DataError, match="several extractors, an unknown one, motion-2;"):
        read_native(*paths)
    origin(paths[1], "w", "motion-1")
    with pytest.raises(DataError, match="several extractors, motion-1, motion-2;"):
        read_native(*paths)
    origin(paths[1], "w", "motion-2")
    assert read_native(*paths).extractor == ExtractorIdentity("motion-2", "1")
