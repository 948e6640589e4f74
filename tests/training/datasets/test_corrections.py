import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from model.errors import DataError
from model.segments import Segment
from training.datasets.annotations import read_annotations
from training.datasets.corrections import corrected, read_corrections
from training.datasets.video_record import VideoSet

JUMP = {"label": "jump", "segment": [1.0, 2.5]}


def written(path: Path, **entries: dict[str, Any]) -> Path:
    """Writes entries as the page does."""
    whole = {id_: {"duration": 9.0, "subset": "training"} | one for id_, one in entries.items()}
    path.write_text(json.dumps({"database": whole}))
    return path


def apply(videos: VideoSet, path: Path) -> VideoSet:
    return corrected(videos, read_corrections(path), path)


def test_corrections_replace_labels_and_times(simulated: VideoSet, tmp_path: Path) -> None:
    """A video keeps its subset; other videos stay, and new classes come last."""
    held_out = simulated.subset("validation").videos[0]
    path = written(tmp_path / "a.json", **{held_out.id: {"annotations": [JUMP, {"label": "jump"}]}})
    result = apply(simulated, path)
    (changed,) = [video for video in result.videos if video not in simulated.videos]
    assert changed == replace(
        held_out, labels=("jump",), instances=(Segment(1.0, 2.5, "jump"),), untimed=("jump",)
    )
    assert result.classes == (*simulated.classes, "jump")


def test_all_segments_corrected_away_declare_a_video_without_classes(
    simulated: VideoSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The page writes no annotations and no tags; the log names the tags that fall away."""
    video = simulated.videos[0]
    path = written(tmp_path / "a.json", **{video.id: {"annotations": [], "tags": []}})
    result = apply(simulated, path).videos[0]
    assert (result.labels, result.instances) == ((), ())
    assert f"{video.id} ({' + '.join(video.labels)}, now no tag)" in caplog.text


def test_a_folder_of_downloads_is_read(simulated: VideoSet, tmp_path: Path) -> None:
    """Each file corrects its own video; spellings of ids are those of features."""
    first, second = (video.id for video in simulated.videos[:2])
    written(tmp_path / "1.json", **{f"{first}.mp4": {"annotations": [JUMP]}})
    written(tmp_path / "2.json", **{second: {"annotations": [JUMP]}})
    result = apply(simulated, tmp_path)
    assert [video.labels for video in result.videos[:2]] == [("jump",)] * 2


def test_unusable_corrections_are_named(
    simulated: VideoSet, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Two files of one video, no file, no known video, and a key of another format."""
    id_ = simulated.videos[0].id
    with pytest.raises(DataError, match="no corrections in"):
        read_corrections(tmp_path)
    stray = written(tmp_path / "1.json", stray={"annotations": [JUMP]})
    with pytest.raises(DataError, match=r"corrects none of the 36 videos .* 'stray'"):
        apply(simulated, stray)
    written(tmp_path / "2.json", stray={"annotations": []}, **{id_: {"annotations": [JUMP]}})
    with pytest.raises(DataError, match=r"'stray' is corrected in .*1.json and in .*2.json"):
        read_corrections(tmp_path)
    apply(simulated, tmp_path / "2.json")
    assert "videos without labels or features are left out: stray" in caplog.text
    other = written(tmp_path / "3.json", **{id_: {"labels": [JUMP]}})
    with pytest.raises(DataError, match="expected the key 'annotations', got 'labels'"):
        apply(simulated, other)


def test_tags_that_contradict_the_annotations_are_remarked(tmp_path: Path) -> None:
    """The annotations count; equal tags in another order are no contradiction."""
    both = {"annotations": [JUMP, {"label": "run"}], "tags": ["run", "jump"]}
    same, other = read_annotations(
        written(tmp_path / "a.json", same=both, other=both | {"tags": ["walk"]})
    )
    assert same.remarks == ()
    assert other.labels == ("jump", "run")
    assert other.remarks == (
        "video 'other': the tags ['walk'] differ from the labels of its annotations, "
        "['jump', 'run'], which count",
    )
