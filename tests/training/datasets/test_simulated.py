from pathlib import Path

import numpy as np
import pytest

from model.errors import OptionError
from training.datasets.layouts.native import read_native
from training.datasets.simulated import SimulationConfig, write_simulated

SMALL = SimulationConfig(training_videos=6, validation_videos=3, classes=3, feature_dim=16)


def test_the_same_seed_gives_the_same_files(tmp_path: Path) -> None:
    """Files are identical; another seed gives others."""
    contents = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        _, features = write_simulated(tmp_path / name, SimulationConfig(seed=seed))
        contents.append([path.read_bytes() for path in sorted(features.iterdir())])
    assert contents[0] == contents[1]
    assert contents[0] != contents[2]


def test_every_video_has_instances_inside_it(tmp_path: Path) -> None:
    """Segments are inside their video, and each subset shows each class."""
    videos = read_native(*write_simulated(tmp_path, SMALL))
    assert videos.classes == ("action_0", "action_1", "action_2")
    for video in videos.videos:
        assert video.instances
        for instance in video.instances:
            assert 0 <= instance.start_s < instance.end_s <= video.duration_s + 1e-6
        assert np.isfinite(video.features()).all()
    for subset in ("training", "validation"):
        assert videos.subset(subset).labels_VC(videos.classes).any(axis=0).all()


@pytest.mark.parametrize(
    "values", [{"difficulty": 2}, {"classes": 0}, {"min_snippets": 10}, {"max_snippets": 50}]
)
def test_impossible_settings_are_refused(values: dict) -> None:
    """A value out of range is an error."""
    with pytest.raises(OptionError):
        SimulationConfig(**values)
