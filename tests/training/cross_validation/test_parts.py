import numpy as np
import pytest

from model.segments import Segment
from training.cross_validation.parts import restricted, scene_splits
from training.cross_validation.scenes import ScenePart
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet


def video(id_: str, *instances: Segment, snippets: int = 6) -> VideoRecord:
    features_TD = np.arange(2 * snippets, dtype=np.float32).reshape(snippets, 2)
    labels = tuple(sorted({one.label for one in instances}))
    return VideoRecord(id_, "training", float(snippets), labels, instances, HeldArray(features_TD))


def test_what_is_left_is_joined() -> None:
    """The docstring's example."""
    left = restricted(video("a", Segment(1, 5, "Jump", 1)), np.array([1, 1, 0, 0, 1, 1], bool))
    assert left.duration_s == 4
    assert left.features().tolist() == [[0, 1], [2, 3], [8, 9], [10, 11]]
    assert [(one.start_s, one.end_s) for one in left.instances] == [(1, 3)]


def test_instances_that_come_to_touch_become_one() -> None:
    """Of one class; an instance that is left out takes its tag along."""
    whole = video("a", Segment(0, 2, "Jump", 1), Segment(4, 5, "Jump", 1), Segment(2, 4, "Run", 1))
    left = restricted(whole, np.array([1, 1, 0, 0, 1, 1], bool))
    assert [(one.start_s, one.end_s, one.label) for one in left.instances] == [(0, 3, "Jump")]
    assert left.labels == ("Jump",)


def test_no_scene_is_learned_from_and_measured_on() -> None:
    """A snippet across the border of a held-out scene is not learned from."""
    pairs = [video(f"v{n}", *[Segment(0, 2.5, "Jump", 1)] * (n % 2)) for n in range(4)]
    parts_of = {
        one.id: [ScenePart(0, 2.5, n), ScenePart(2.5, 6, (n + 1) % 4)]
        for n, one in enumerate(pairs)
    }
    made = scene_splits(VideoSet(tuple(pairs), ("Jump",), "test"), parts_of, 2, seed=0)
    assert len(made) == 2
    assert sum(one.duration_s for split in made for one in split.held_out.videos) == 24
    for split in made:
        learned = {one.id: one.duration_s for one in split.learned.videos}
        for one in split.held_out.videos:
            assert one.duration_s + learned.get(one.id, 0) in (5, 6)


@pytest.mark.parametrize("kept", [0, 5])
def test_short_rest_of_an_instance_does_not_count(kept: int) -> None:
    """Less than half a snippet is left."""
    one = video("a", Segment(0.8, 5.2, "Jump", 1))
    keep_T = np.arange(6) == kept
    assert restricted(one, keep_T).instances == ()
