"""The state that a run starts from."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import DataError
from model.export import write_onnx
from model.inference.engine import OnnxEngine
from model.network import EcmConfig
from model.snippets import resample
from training.configuration.presets import preset, preset_for
from training.datasets.feature_files import NpyFile
from training.datasets.video_record import VideoSet
from training.initialization import (
    RunData,
    channel_statistics,
    fresh_checkpoint,
    initial_network,
    learnable_videos,
)
from training.loop import fit

RECIPE = preset("own-videos").override({"hidden_width": 8, "epochs": 1})


def test_statistics_are_those_of_all_training_snippets(simulated: VideoSet) -> None:
    """Every snippet counts once, whatever the length of its video."""
    training = simulated.subset("training")
    snippets = np.concatenate([np.asarray(video.features()) for video in training.videos])
    mean_D, deviation_D = channel_statistics(training)
    np.testing.assert_allclose(mean_D, snippets.mean(axis=0, dtype=np.float64), atol=1e-6)
    np.testing.assert_allclose(deviation_D, snippets.std(axis=0, dtype=np.float64), rtol=1e-4)


def test_nearly_constant_channel_is_not_scaled_up_without_bound(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """Deviations have a lower bound, also where all features are constant."""
    training = simulated.subset("training")
    features_TD = np.random.default_rng(0).standard_normal((50, 4)).astype(np.float32)
    features_TD[:, 0] = 3
    for name, content_TD in (("one", features_TD), ("all", np.zeros_like(features_TD))):
        np.save(tmp_path / f"{name}.npy", content_TD)
        video = replace(training.videos[0], source=NpyFile(tmp_path / f"{name}.npy"))
        _, deviation_D = channel_statistics(replace(training, videos=(video,)))
        assert deviation_D.min() > 0.005
    assert (deviation_D == 1).all()


def test_exported_network_holds_the_statistics(simulated: VideoSet, tmp_path: Path) -> None:
    """The file accepts unscaled features; scaled and shifted ones train the same network."""
    training = simulated.subset("training")
    shifted = tuple(
        replace(video, source=NpyFile(tmp_path / f"{video.id}.npy")) for video in training.videos
    )
    for video in training.videos:
        np.save(tmp_path / f"{video.id}.npy", 50 * np.asarray(video.features(), np.float64) + 7)
    features_TD = np.asarray(training.videos[0].features(), np.float32)
    cas = []
    for videos, input_TD in ((training.videos, features_TD), (shifted, 50 * features_TD + 7)):
        out = tmp_path / str(len(cas))
        checkpoint = fit(replace(training, videos=videos), None, RECIPE, out)
        write_onnx(checkpoint.network(), checkpoint.spec, out / "model.onnx")
        cas.append(OnnxEngine((out / "model.onnx").read_bytes()).cas(input_TD))
    np.testing.assert_allclose(cas[0], cas[1], atol=1e-3)


@pytest.mark.parametrize(("attention", "expected"), [("class", 1.0), ("agnostic", 1 / 3)])
def test_transition_can_start_as_the_identity(attention: str, expected: float) -> None:
    """The other weights are the same as with a random start."""
    config = EcmConfig(8, 3, hidden_width=4, attention=attention)  # type: ignore[arg-type]
    identity, random = (
        initial_network(config, RECIPE.override({"transition_start": start}))
        for start in ("identity", "random")
    )
    weight = identity.transition.weight[:, :, 0]
    assert weight.diagonal().tolist() == pytest.approx([expected] * len(weight.diagonal()))
    assert weight.sum(dim=1).tolist() == pytest.approx([1] * len(weight))
    assert torch.equal(identity.classifier.conv_1.weight, random.classifier.conv_1.weight)
    assert not torch.equal(identity.transition.weight, random.transition.weight)


def test_training_length_can_be_the_median(simulated: VideoSet) -> None:
    """Half of the videos are longer, half are shorter."""
    training = simulated.subset("training")
    middle = np.median([len(video.features()) for video in training.videos])
    data = RunData.of(training, None, "tags")
    spec = fresh_checkpoint(data, RECIPE, "test").spec
    assert spec.snippets == round(float(middle))
    assert len(resample(np.zeros((5, 2), np.float32), spec.snippets)) == spec.snippets


def tagged(simulated: VideoSet, *labels: tuple[str, ...]) -> VideoSet:
    videos = zip(simulated.videos, labels, strict=False)
    classes = tuple(sorted({label for tags in labels for label in tags}))
    renamed = tuple(replace(video, labels=tags) for video, tags in videos)
    return replace(simulated, videos=renamed, classes=classes)


@pytest.mark.parametrize(
    ("labels", "activation", "remedy"),
    [
        ([("a",), ("a",), ()], "softmax", "own-videos, which also learns from the 1 videos"),
        ([("a",), ("a",)], "softmax", "add videos without these tags"),
        ([("a",), ("a",)], "sigmoid", "add videos without these tags"),
        ([("a", "b"), ("a", "b")], "softmax", "add videos without these tags"),
        ([("a", "b"), ("a", "b")], "sigmoid", "add videos without these tags"),
    ],
)
def test_tags_that_teach_nothing_end_with_a_remedy(
    simulated: VideoSet, labels: list[tuple[str, ...]], activation: str, remedy: str
) -> None:
    """One class under softmax, no negative video under sigmoid, equal tags."""
    recipe = RECIPE.override({"activation": activation})
    with pytest.raises(DataError, match=f"have the same tags.*{remedy}"):
        learnable_videos(tagged(simulated, *labels), recipe)


def test_tags_that_differ_can_be_learned(simulated: VideoSet) -> None:
    """With sigmoid a video without a tag is enough; softmax needs two kinds of tags."""
    for labels, activation in (
        ([("a",), ()], "sigmoid"),
        ([("a",), ("b",)], "softmax"),
        ([("a", "b"), ("b",)], "softmax"),
    ):
        videos = tagged(simulated, *labels)
        assert learnable_videos(videos, RECIPE.override({"activation": activation})) == videos


def test_tags_choose_the_preset_of_own_videos(simulated: VideoSet) -> None:
    """`own-videos` for videos without a tag and for one class, else `own-data`."""
    for labels, name in (
        ([("a",), ()], "own-videos"),
        ([("a",), ("a",)], "own-videos"),
        ([("a",), ("b",), ()], "own-videos"),
        ([("a",), ("b",)], "own-data"),
    ):
        assert preset_for(tagged(simulated, *labels)) == name
