import logging
from dataclasses import replace

import numpy as np
import pytest

from model.errors import DataError
from model.segments import Segment
from training.datasets.feature_files import NpyFile
from training.datasets.video_record import VideoRecord, VideoSet
from training.snippet_targets import require_segments, snippet_targets

NAN = float("nan")
CLASSES = ("Jump", "Run")


def video(*instances: Segment, labels: tuple[str, ...] = ("Jump",), **changes) -> VideoRecord:
    """Returns a video of 4 s."""
    source = NpyFile("unused.npy")
    return replace(VideoRecord("a", "training", 4.0, labels, instances, source), **changes)


def targets(record: VideoRecord, **options) -> list[list[float]]:
    """Returns the targets of the classes Jump and Run in 4 snippets of 1 s."""
    return snippet_targets(record, CLASSES, snippets=4, **options).T.tolist()


def test_targets_are_the_shares_of_snippets_inside_of_segments() -> None:
    """A class that a corrected video does not show is outside everywhere."""
    got = targets(video(Segment(0.5, 2.0, "Jump")))
    assert got == [[0.5, 1, 0, 0], [0, 0, 0, 0]]


def test_overlapping_segments_count_once() -> None:
    """A snippet shows a class at most wholly; times beyond the video's end do not count."""
    got = targets(video(Segment(0, 2, "Jump"), Segment(1, 2.5, "Jump"), Segment(3.5, 9, "Jump")))
    assert got[0] == [1, 1, 0.5, 0.5]


def test_snippets_near_edges_are_unknown_with_a_ring() -> None:
    """The ring is a share of the segment's length on either side of each edge."""
    np.testing.assert_array_equal(
        targets(video(Segment(0.5, 2.0, "Jump")), ring=0.4), [[NAN, NAN, NAN, 0], [0, 0, 0, 0]]
    )


def test_times_of_tags_without_segments_are_unknown() -> None:
    """In a corrected video, a class with a tag alone is left to the tag."""
    record = video(Segment(1, 2, "Jump"), labels=CLASSES)
    np.testing.assert_array_equal(targets(record), [[0, 1, 0, 0], [NAN] * 4])


def test_outside_is_unknown_where_a_class_also_occurs_at_unknown_times() -> None:
    """A label with a segment and without one teaches the inside of the segment alone."""
    record = video(Segment(1, 2, "Jump"), untimed=("Jump",))
    np.testing.assert_array_equal(targets(record), [[NAN, 1, NAN, NAN], [0] * 4])


@pytest.mark.parametrize(
    ("record", "expected"),
    [(video(), False), (video(labels=()), False), (video(Segment(1, 2, "Jump")), True)],
)
def test_a_video_counts_as_corrected_with_segments(record: VideoRecord, expected: bool) -> None:
    """Other videos teach by their tags alone, also those that show no class."""
    known = ~np.isnan(snippet_targets(record, CLASSES, snippets=4))
    assert (known == expected).all()


@pytest.mark.parametrize(
    "times",
    [(4.0, 5.0), (-2.0, 0.0), (2.0, 2.0), (3.0, 1.0)],
    ids=["late", "early", "empty", "back"],
)
def test_segments_outside_of_the_video_are_refused(times: tuple[float, float]) -> None:
    """The error names the video, its length and the segment."""
    wrong = video(Segment(1, 2, "Jump"), Segment(*times, "Jump"))
    with pytest.raises(DataError, match=r"'a': expected segments within its 4 s, got Jump \["):
        require_segments(VideoSet((wrong,), CLASSES, "labels.json"))


def test_data_without_segments_are_refused() -> None:
    """A video from which all segments were corrected away has none to learn from."""
    videos = VideoSet((video(), video(labels=())), CLASSES, "labels.json")
    with pytest.raises(DataError, match=r"labels.json: --segments use needs training videos with"):
        require_segments(videos)


def test_videos_with_partly_known_times_are_named(caplog: pytest.LogCaptureFixture) -> None:
    """Also the number of corrected videos is logged."""
    partly = video(Segment(1, 2, "Jump"), labels=CLASSES)
    with caplog.at_level(logging.INFO):
        require_segments(VideoSet((partly, video()), CLASSES, "labels.json"))
    assert "segments of 1 of 2 training videos" in caplog.text
    assert "1 corrected videos have tags without all of their times; there, the tag counts: a" in (
        caplog.text
    )
