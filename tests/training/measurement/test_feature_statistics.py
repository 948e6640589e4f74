"""Statistics of the training features."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from training.datasets.native import read_native

from model.familiarity import familiarity
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.feature_statistics import feature_statistics


def drawn(videos: int, *, seed: int = 0, shift: float = 0.0) -> VideoSet:
    """Returns videos of correlated features, each with a level of its own."""
    rng, mixing_DD = np.random.default_rng(seed), np.random.default_rng(9).standard_normal((48, 48))
    records = []
    for number in range(videos):
        level_D = 0.3 * rng.standard_normal(48) + shift
        features_TD = ((rng.standard_normal((40, 48)) + level_D) @ mixing_DD).astype(np.float32)
        source = HeldArray(features_TD)
        records.append(VideoRecord(f"v{number}", "training", 40.0, ("a",), (), source))
    return VideoSet(tuple(records), ("a",), "drawn")


def test_new_videos_of_the_same_kind_are_familiar() -> None:
    """Their shares spread over 0 to 1 and none has a note; shifted ones are all noted."""
    statistics = feature_statistics(drawn(40))
    assert statistics is not None
    same = [familiarity(v.features(), statistics) for v in drawn(100, seed=1).videos]
    assert 0.35 < np.mean([one.share for one in same]) < 0.65
    assert not any(one.note for one in same)
    other = [familiarity(v.features(), statistics) for v in drawn(20, seed=2, shift=3.0).videos]
    assert all(one.note and one.share == 0 for one in other)


def test_few_videos_have_no_statistics() -> None:
    """Distances of four videos mean nothing; constant features are no error."""
    assert feature_statistics(drawn(4)) is None
    five = drawn(5)
    constant = HeldArray(np.ones((10, 3), np.float32))
    still = replace(five, videos=tuple(replace(v, source=constant) for v in five.videos))
    statistics = feature_statistics(still)
    assert statistics is not None
    assert familiarity(np.ones((10, 3), np.float32), statistics).note is None
    assert familiarity(np.full((10, 3), 9, np.float32), statistics).note is not None


def test_held_out_videos_of_real_data_are_familiar(shared: Callable[[str], Path]) -> None:
    """None of the validation videos of `timelines` has a note."""
    folder = shared("data/timelines")
    videos = read_native(folder / "annotations.json", folder / "features")
    statistics = feature_statistics(videos.subset("training"))
    assert statistics is not None
    held_out = videos.subset("validation").videos
    assert not any(familiarity(video.features(), statistics).note for video in held_out)
