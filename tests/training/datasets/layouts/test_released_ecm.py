"""The layout of the released ECM code: its clock, its classes, and the errors of its reader."""

from pathlib import Path

import numpy as np
import pytest

from model.errors import DataError
from training.datasets.feature_clock import FeatureRate
from training.datasets.layouts import released_ecm


def write(path: Path, **changes: object) -> None:
    """Writes a video of 10 snippets and 6 channels, with 150 frames at 30 a second."""
    path.parent.mkdir(exist_ok=True)
    stream = np.ones((3, 10), np.float32)
    content = {"feat_spa": stream, "feat_tem": stream, "cls_label": np.array([1.0, 0.0]),
               "frame_num": 150, "fps": 30.0} | changes  # fmt: skip
    np.savez(path, **content)  # type: ignore[arg-type]


def test_snippets_divide_the_original_video(tmp_path: Path) -> None:
    """`frame_num` and `fps` are those of the original video; a rate as an option comes first."""
    write(tmp_path / "val/a.npz")
    (video,) = released_ecm.read(tmp_path).videos
    assert (video.duration_s, video.annotated_s) == (5.0, None)
    (video,) = released_ecm.read(tmp_path, FeatureRate()).videos
    assert (video.duration_s, video.annotated_s) == (pytest.approx(6.4), 5.0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"fps": 0.0}, r"a\.npz: expected frame_num and fps above 0, got 150\.0 and 0\.0"),
        ({"frame_num": 0}, "expected frame_num and fps above 0"),
        ({"cls_label": np.array(["Jump"])}, "expected cls_label as numbers"),
        ({"cls_label": np.array([1.0])}, "cls_label differs in length"),
    ],
)
def test_impossible_values_are_named(
    changes: dict[str, object], message: str, tmp_path: Path
) -> None:
    """The message has the file or the folder."""
    write(tmp_path / "val/a.npz", **changes)
    write(tmp_path / "test/b.npz")
    with pytest.raises(DataError, match=message):
        released_ecm.read(tmp_path)


def test_a_time_lapse_may_have_less_than_a_frame_a_second(tmp_path: Path) -> None:
    """150 frames at one in two seconds last five minutes."""
    write(tmp_path / "val/a.npz", fps=0.5)
    (video,) = released_ecm.read(tmp_path).videos
    assert video.duration_s == 300.0


def test_video_in_both_folders_is_refused(tmp_path: Path) -> None:
    """A network would be judged by a video that it learned from."""
    write(tmp_path / "val/a.npz")
    write(tmp_path / "test/a.npz")
    with pytest.raises(DataError, match=r"'a\.npz' is in val and test"):
        released_ecm.read(tmp_path)


def test_names_of_classes_are_distinct(tmp_path: Path) -> None:
    """Blank lines count nothing; without names, classes are numbered."""
    write(tmp_path / "val/a.npz")
    assert released_ecm.read(tmp_path).classes == ("class_000", "class_001")
    (tmp_path / "labels.txt").write_bytes(b"\xef\xbb\xbfJump\r\n\r\n Run \r\n")
    assert released_ecm.read(tmp_path).classes == ("Jump", "Run")
    (tmp_path / "labels.txt").write_text("Jump\nJump\n")
    with pytest.raises(DataError, match="names 1 classes, cls_label has 2"):
        released_ecm.read(tmp_path)
