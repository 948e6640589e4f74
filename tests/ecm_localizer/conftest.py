"""Models in a repository, opened in this process."""

from pathlib import Path

import numpy as np
import pytest

from reliability.random_model import publish_random_of_videos


@pytest.fixture(scope="module")
def videos_model(made_once) -> Path:
    """The folder of a model that takes videos, by the extractor `motion`."""
    root = made_once("moves", lambda root: publish_random_of_videos(root, "moves"))
    return root / "moves"


@pytest.fixture(scope="module")
def video(film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 4 s."""
    return film(tmp_path_factory.mktemp("film") / "film.mp4", np.arange(100) / 25)
