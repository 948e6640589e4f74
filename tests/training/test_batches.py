from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from model.errors import DataError
from model.segments import Segment
from model.spec import ModelSpec
from training.batches import TrainingFeatures, micro_batches, steps_per_epoch
from training.configuration.execution import Execution
from training.configuration.presets import preset
from training.datasets.feature_files import NpyFile
from training.datasets.video_record import VideoRecord, VideoSet
from training.parallel import ProcessGroup

SPEC = ModelSpec(labels=("a",), feature_dim=32, snippets=40, topk_ratio=0.125)
RECIPE = preset("demo").override({"snippets": 40, "batch_size": 7})


@pytest.mark.parametrize("processes", [1, 2, 3, 8])
@pytest.mark.parametrize("micro", [None, 1, 2, 100])
@pytest.mark.parametrize("videos", [1, 7, 20])
def test_micro_batches_of_all_processes_are_the_steps_of_one(
    videos: int, micro: int | None, processes: int
) -> None:
    """Each step has the same videos with the same dropout keys; its weights add up to 1."""
    whole = list(micro_batches(3, videos, RECIPE, Execution(), ProcessGroup()))
    shared: list[list[tuple[int, int]]] = [[] for _ in whole]
    weights = np.zeros(len(whole))
    for rank in range(processes):
        step = 0
        for part in micro_batches(
            3, videos, RECIPE, Execution(micro_batch_size=micro), ProcessGroup(rank, processes)
        ):
            weights[step] += part.weight
            if part.weight:
                shared[step] += zip(part.video_B.tolist(), part.key_B.tolist(), strict=True)
            step += part.ends_step
        assert step == steps_per_epoch(videos, RECIPE) == len(whole)
    for batch, pairs in zip(whole, shared, strict=True):
        expected = zip(batch.video_B.tolist(), batch.key_B.tolist(), strict=True)
        assert sorted(expected) == sorted(pairs)
    np.testing.assert_allclose(weights, 1)


def test_every_epoch_has_its_own_order_and_keys() -> None:
    """Each epoch has every video once; another seed gives another order."""
    first, second = (
        list(micro_batches(e, 20, RECIPE, Execution(), ProcessGroup())) for e in (0, 1)
    )
    other = list(micro_batches(0, 20, replace(RECIPE, seed=1), Execution(), ProcessGroup()))
    for epoch in (first, second, other):
        assert sorted(np.concatenate([part.video_B for part in epoch])) == list(range(20))
    for another in (second, other):
        assert (first[0].key_B != another[0].key_B).all()
        assert any((a.video_B != b.video_B).any() for a, b in zip(first, another, strict=True))


@pytest.mark.parametrize("sampling", ["linear", "random"])
def test_features_from_disk_equal_those_in_memory(simulated: VideoSet, sampling: str) -> None:
    """Bit-identical, at the training length."""
    videos = simulated.subset("training").videos
    recipe = RECIPE.override({"training_sampling": sampling, "segments": "use"})
    held, read = (
        TrainingFeatures(videos, recipe, Execution(feature_memory_gib=gib), SPEC)
        for gib in (1.0, 0.0)
    )
    assert held.in_memory
    assert not read.in_memory
    work = list(micro_batches(0, len(videos), recipe, Execution(), ProcessGroup()))
    pairs = zip(held.prefetched(work), read.prefetched(work), strict=True)
    for (batch, from_memory), (same, from_disk) in pairs:
        assert batch is same
        assert from_memory.features_BTD.shape == (len(batch.video_B), 40, 32)
        assert torch.equal(from_memory.features_BTD, from_disk.features_BTD)


@pytest.mark.parametrize("sampling", ["linear", "random"])
def test_targets_are_sampled_as_the_features_are(tmp_path: Path, sampling: str) -> None:
    """A channel that is 1 inside of the segment equals the target at each sampled snippet."""
    target_TC = np.zeros((30, 1), np.float32)
    target_TC[10:20] = 1
    np.save(tmp_path / "a.npy", target_TC)
    source = NpyFile(tmp_path / "a.npy")
    video = VideoRecord("a", "training", 30, ("a",), (Segment(10, 20, "a"),), source)
    recipe = RECIPE.override({"training_sampling": sampling, "segments": "use"})
    features = TrainingFeatures([video], recipe, Execution(), replace(SPEC, feature_dim=1))
    for epoch in range(3):
        (batch,) = micro_batches(epoch, 1, recipe, Execution(), ProcessGroup())
        samples = features.load(batch)
        assert samples.target_BTC is not None
        assert torch.equal(samples.features_BTD, samples.target_BTC)


def test_tags_alone_have_no_targets(simulated: VideoSet) -> None:
    """Annotated times do not reach the loss by default."""
    videos = simulated.subset("training").videos
    features = TrainingFeatures(videos, RECIPE, Execution(), SPEC)
    (batch, *_) = micro_batches(0, len(videos), RECIPE, Execution(), ProcessGroup())
    assert features.load(batch).target_BTC is None


def test_missing_file_is_named(simulated: VideoSet) -> None:
    """The error of a loader thread reaches the training loop."""
    videos = simulated.subset("training").videos
    on_disk = Execution(feature_memory_gib=0.0)
    features = TrainingFeatures(videos, RECIPE, on_disk, SPEC)
    gone = NpyFile(simulated_path := videos[0].source.path.with_name("gone.npy"))  # type: ignore[attr-defined]
    features._videos = (replace(videos[0], source=gone), *videos[1:])
    work = micro_batches(0, len(videos), RECIPE, Execution(), ProcessGroup())
    with pytest.raises(DataError, match=rf"{videos[0].id}.*{simulated_path.name}"):
        list(features.prefetched(work))
