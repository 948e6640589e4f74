import numpy as np

from training.cross_validation.folds import group_folds, splits, tag_folds
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet


def video(id_: str, *labels: str) -> VideoRecord:
    return VideoRecord(id_, "training", 4.0, labels, (), HeldArray(np.ones((4, 2))))


VIDEOS = tuple(video(f"v{n}", *(("Jump",) if n % 2 else ())) for n in range(10))


def test_every_tag_is_in_every_fold() -> None:
    """Five videos with a tag and five without are in five folds, one of each in every fold."""
    fold_V = tag_folds(VIDEOS, 5, seed=3)
    for kind in (0, 1):
        assert sorted(fold_V[kind::2]) == [0, 1, 2, 3, 4]
    assert not np.array_equal(fold_V, tag_folds(VIDEOS, 5, seed=4))


def test_splits_hold_each_video_out_once() -> None:
    """Networks do not learn from held-out videos."""
    made = splits(VideoSet(VIDEOS, ("Jump",), "test"), tag_folds(VIDEOS, 3, seed=0))
    assert sorted(id_ for split in made for id_ in split.held_out.ids) == sorted(
        one.id for one in VIDEOS
    )
    for split in made:
        split.learned.require_apart(split.held_out)
        assert split.is_learnable


def test_groups_stay_together_and_classes_are_even() -> None:
    """Four groups of one class and four without a class make two folds with two of each."""
    group_V = np.repeat(np.arange(8), 2)
    weight_VC = (group_V < 4).astype(float)[:, None]
    fold_G = group_folds(group_V, weight_VC, 2, seed=0)
    assert sorted(fold_G[:4]) == sorted(fold_G[4:]) == [0, 0, 1, 1]


def test_more_folds_than_groups_are_not_made() -> None:
    """Two groups give two folds."""
    assert sorted(group_folds(np.array([0, 1, 1]), np.ones((3, 1)), 5, seed=0)) == [0, 1]


def test_split_without_a_difference_is_not_learnable() -> None:
    """Where all other videos have the same tags, nothing can be learned."""
    pair = VideoSet((video("a", "Jump"), video("b")), ("Jump",), "test")
    assert not any(split.is_learnable for split in splits(pair, np.array([0, 1])))
