"""Copies of videos with labels burnt in."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecm_client.segments import Segment
from features.video.burning import LabelPainter, burn_labels
from features.video.reading import probe
from model.errors import OptionError, VideoError

Film = Callable[..., Path]


def test_the_best_segment_of_each_label_is_shown_while_it_lasts() -> None:
    """Nested duplicates are one label; the end does not belong to a segment."""
    segments = [Segment(1, 3, "a", 0.5), Segment(0, 4, "a", 0.9), Segment(2, 3, "b", 1.2)]
    painter = LabelPainter(segments, ("a", "b"))
    shown = [[(s.label, s.score) for s in painter.lasting(t)] for t in (0.0, 2.0, 3.0, 4.0)]
    assert shown == [[("a", 0.9)], [("b", 1.2), ("a", 0.9)], [("a", 0.9)], []]


def test_tags_have_the_colours_of_their_classes() -> None:
    """From the bottom left; nothing is drawn without an action."""
    image_HWC = np.zeros((240, 320, 3), np.uint8)
    painter = LabelPainter([Segment(1, 3, "b 😀 <i>", 0.5)], ("a", "b 😀 <i>"))
    painter.draw(image_HWC, 0.0)
    assert not image_HWC.any()
    painter.draw(image_HWC, 1.0)
    assert (image_HWC[-6, 6] == (0xCC, 0x5D, 0x02)).all()
    assert not image_HWC[:200].any()


@pytest.mark.parametrize("size", [(16, 16), (64, 48), (2000, 100)])
def test_many_long_labels_fit_into_any_frame(size: tuple[int, int]) -> None:
    """Labels without room are left out."""
    segments = [Segment(0, 1, f"{n} {'long ' * 50}", 0.5) for n in range(50)]
    LabelPainter(segments, ()).draw(np.zeros((*size, 3), np.uint8), 0.5)


def test_a_copy_is_whole_or_absent(film: Film, tmp_path: Path) -> None:
    """An older file and the video itself stay; a damaged video leaves nothing."""
    path = film(tmp_path / "film.mp4", [n / 25 for n in range(20)], sound_s=0.8)
    content = path.read_bytes()
    for overwrite in (False, True):
        with pytest.raises(OptionError, match="exists; expected a new file"):
            burn_labels(path, path, [], overwrite=overwrite)
    assert path.read_bytes() == content
    burn_labels(path, tmp_path / "copy.mp4", [Segment(0, 1, "a")])
    info = probe(tmp_path / "copy.mp4")
    assert (info.width, info.height, info.codec) == (64, 48, "h264")
    (tmp_path / "bad.mp4").write_bytes(content[: len(content) // 2])
    with pytest.raises(VideoError):
        burn_labels(tmp_path / "bad.mp4", tmp_path / "bad_copy.mp4", [])
    with pytest.raises(VideoError, match="not a number"):
        burn_labels(path, tmp_path / "nan.mp4", [Segment(float("nan"), 1, "a")])
    assert {one.name for one in tmp_path.iterdir()} == {"film.mp4", "copy.mp4", "bad.mp4"}
