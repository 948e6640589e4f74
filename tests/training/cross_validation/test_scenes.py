from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from training.cross_validation.scenes import (
    ScenePart,
    Shot,
    same_place,
    scenes,
    shots,
    video_groups,
)


def place(seed: int, noise: float = 0.0) -> np.ndarray:
    """A smooth image; the noise changes it from shot to shot."""
    rng = np.random.default_rng(seed)
    rough = np.kron(rng.uniform(0, 255, (4, 4)), np.ones((6, 8)))
    return (rough + noise * np.random.default_rng(99).normal(size=(24, 32))).astype(np.float32)


def test_shots_of_one_camera_are_one_scene() -> None:
    """Also in another light, in which the edges are the same."""
    images = [place(0), place(1), place(0, noise=8), place(1) * 0.5 + 100]
    scene_N = same_place(images)
    assert scene_N[0] == scene_N[2] != scene_N[1] == scene_N[3]


def test_videos_with_a_common_scene_are_one_group() -> None:
    """The first and third share one; videos of several sizes can be compared."""
    shots_of = {
        "a": [Shot(0, 2, place(0)), Shot(2, 4, place(1))],
        "b": [Shot(0, 4, place(2))],
        "c": [Shot(0, 4, place(1)[:, :24])],
        "d": [Shot(0, 4, place(1))],
    }
    parts = scenes(shots_of)
    group_V = video_groups(parts)
    assert group_V[0] == group_V[3] != group_V[1]
    assert parts["d"] == [ScenePart(0, 4, parts["a"][1].scene)]


def test_shots_cover_a_video(film: Callable[..., Path], tmp_path: Path) -> None:
    """Each begins where the last one ends."""
    found = shots(film(tmp_path / "film.mp4", [n / 10 for n in range(30)]))
    assert found[0].start_s == 0
    assert all(one.end_s == other.start_s for one, other in pairwise(found))
    assert found[-1].end_s == pytest.approx(3, abs=0.5)
