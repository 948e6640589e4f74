"""Digests of videos: what differs between two of them, by name."""

import numpy as np

from training.data_digest import data_change, data_digest, digest_from_json, digest_to_json
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet


def video_set(videos: int) -> VideoSet:
    """Returns videos with features of their own."""
    records = (
        VideoRecord(
            f"v{number}", "training", 12.8, ("run",), (), HeldArray(np.full((2, 4), number, "f4"))
        )
        for number in range(videos)
    )
    return VideoSet(tuple(records), ("run",), "a.json")


def test_at_most_five_videos_of_a_kind_are_named() -> None:
    """The others are counted."""
    many = video_set(8)
    change = data_change(data_digest(many), data_digest(video_set(4)))
    assert change.altered == "removed videos: v4, v5, v6, v7"
    assert str(data_change({}, data_digest(many))) == "added videos: v0, v1, v2, v3, v4 and 3 more"


def test_digest_survives_json() -> None:
    """Every field is the same."""
    digest = data_digest(video_set(4), with_times=True)
    assert digest_from_json(digest_to_json(digest)) == digest
