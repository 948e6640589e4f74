from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.spec import ModelSpec
from training.checkpoint import LAST, load_checkpoint
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine
from training.measurement.suggestion import Suggestion, suggestions, uncertainty


@pytest.fixture(scope="module")
def network(run: Path) -> tuple[TorchEngine, ModelSpec]:
    """A trained network."""
    checkpoint = load_checkpoint(run / LAST)
    return TorchEngine(checkpoint.network()), checkpoint.spec


def without_times(videos: VideoSet) -> VideoSet:
    return replace(videos, videos=tuple(replace(v, instances=()) for v in videos.videos))


def test_values_in_the_middle_are_uncertain() -> None:
    """0 and 1 are certain."""
    assert uncertainty(np.array([0.0, 1.0, 0.5, 0.5])) == 0.5
    assert uncertainty(np.array([0.0, 1.0])) == 0
    assert uncertainty(np.array([0.25])) == pytest.approx(0.75)


def test_videos_are_listed_from_the_most_uncertain(
    network: tuple[TorchEngine, ModelSpec], simulated: VideoSet
) -> None:
    """Each names a class of its tags and a reason."""
    videos = without_times(simulated.subset("training")).videos
    found = suggestions(*network, videos)
    assert sorted(one.video for one in found) == sorted(video.id for video in videos)
    uncertain = [one.uncertainty for one in found]
    assert uncertain == sorted(uncertain, reverse=True)
    labels = {video.id: video.labels for video in videos}
    assert all(one.label in labels[one.video] for one in found)
    assert all(f"{one.label} is neither certain nor excluded in" in one.reason for one in found)


def test_videos_with_all_times_and_without_tags_are_left_out(
    network: tuple[TorchEngine, ModelSpec], simulated: VideoSet
) -> None:
    """There is nothing to correct; a video with some of its times stays."""
    timed, partly, quiet, *_ = simulated.subset("training").videos
    partly = replace(partly, untimed=partly.labels)
    quiet = replace(quiet, labels=(), instances=())
    found = suggestions(*network, [timed, partly, quiet])
    assert [one.video for one in found] == [partly.id]


def test_a_tag_that_the_network_rejects_is_a_reason(
    network: tuple[TorchEngine, ModelSpec], simulated: VideoSet
) -> None:
    """A tag that is not recognized has no segment."""
    engine, spec = network
    strict = replace(spec, localization=replace(spec.localization, class_threshold=1.0))
    video = without_times(simulated.subset("training")).videos[0]
    one: Suggestion
    (one,) = suggestions(engine, strict, [video])
    assert one.segments == 0
    assert f"{one.label} has a tag, but its score {one.class_score:.2f} is below 1" in one.reason
