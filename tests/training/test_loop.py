import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from features.folder_lock import locked
from model.errors import DataError, OptionError
from training.calibration import display_min_score
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from training.configuration.presets import preset
from training.datasets.feature_files import NpyFile
from training.datasets.layouts.native import read_native
from training.datasets.simulated import SimulationConfig, write_simulated
from training.datasets.video_record import VideoSet
from training.loop import fit
from training.measurement.evaluation import TorchEngine, best_segment_scores, evaluate

SMALL = preset("demo").override({"hidden_width": 16, "snippets": 40, "epochs": 4})


def weights(checkpoint: Checkpoint) -> torch.Tensor:
    return torch.cat([value.flatten() for value in checkpoint.network_state.values()])


def test_training_learns_to_localize_from_tags(run: Path, simulated: VideoSet) -> None:
    """On an easy simulated data set, the mAP at tIoU 0.5 exceeds 0.6."""
    checkpoint = load_checkpoint(run / LAST)
    engine = TorchEngine(checkpoint.network())
    trained = evaluate(engine, checkpoint.spec, simulated.subset("validation"), (0.3, 0.5))
    assert trained.detection.map_at(0.5) > 0.6
    assert trained.tagging_map > 0.9
    assert trained.frame_accuracy > 0.8


@pytest.mark.parametrize("sampling", ["linear", "random"])
def test_an_interrupted_run_ends_with_the_same_weights(
    simulated: VideoSet, tmp_path: Path, sampling: str
) -> None:
    """Stopped after two of four epochs and resumed: bit-identical. Another seed differs."""
    training = simulated.subset("training")
    recipe = SMALL.override({"training_sampling": sampling})
    whole = fit(training, None, recipe, tmp_path / "whole")
    fit(training, None, replace(recipe, epochs=2), tmp_path / "parts")
    parts = fit(training, None, recipe, tmp_path / "parts")
    other = fit(training, None, replace(recipe, seed=1), tmp_path / "other")
    assert torch.equal(weights(whole), weights(parts))
    assert not torch.equal(weights(whole), weights(other))
    assert parts.epoch == 4


def test_a_finished_run_is_left_as_it_is(simulated: VideoSet, tmp_path: Path) -> None:
    """A second `fit` trains nothing and writes nothing."""
    fit(simulated.subset("training"), None, SMALL, tmp_path)
    before = (tmp_path / LAST).read_bytes()
    fit(simulated.subset("training"), None, SMALL, tmp_path)
    assert (tmp_path / LAST).read_bytes() == before


def test_two_trainings_in_one_folder_are_refused(simulated: VideoSet, tmp_path: Path) -> None:
    """The second one names the first one, and writes nothing, also if it would start anew."""
    training = simulated.subset("training")
    fit(training, None, replace(SMALL, epochs=1), tmp_path)
    before = (tmp_path / LAST).read_bytes()
    with locked(tmp_path):
        for retrain in (False, True):
            with pytest.raises(OptionError, match=rf"process {os.getpid()} on .*{tmp_path}"):
                fit(training, None, SMALL, tmp_path, retrain=retrain)
    assert (tmp_path / LAST).read_bytes() == before
    assert fit(training, None, SMALL, tmp_path).epoch == 4


def test_another_recipe_or_other_classes_need_another_folder(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """`fit` refuses to resume a run with other settings."""
    training = simulated.subset("training")
    fit(training, None, SMALL, tmp_path)
    with pytest.raises(OptionError, match="another recipe"):
        fit(training, None, replace(SMALL, learning_rate=1e-4), tmp_path)
    with pytest.raises(OptionError, match="other classes"):
        fit(replace(training, classes=("x", *training.classes)), None, SMALL, tmp_path)


def test_best_checkpoint_is_chosen_by_validation_tags(run: Path) -> None:
    """Both checkpoints exist, and the best one is not later than the last one."""
    best, last = load_checkpoint(run / BEST), load_checkpoint(run / LAST)
    assert best.epoch <= last.epoch == 25
    assert best.best_score == last.best_score
    assert list(run.glob("events.*"))


def test_finished_run_has_a_display_score_in_both_checkpoints(
    run: Path, simulated: VideoSet
) -> None:
    """Each has the score of its own network on the training videos."""
    training = simulated.subset("training")
    for name in (LAST, BEST):
        checkpoint = load_checkpoint(run / name)
        engine, spec = TorchEngine(checkpoint.network()), checkpoint.spec
        best_VC = best_segment_scores(engine, spec, training.videos)
        expected = display_min_score(best_VC, training.labels_VC(spec.labels))
        assert spec.display_min_score == pytest.approx(expected, abs=1e-6)
        assert expected > 0


def test_continued_run_chooses_its_display_score_again(simulated: VideoSet, tmp_path: Path) -> None:
    """A prolonged run ends with the score of an unbroken one."""
    training = simulated.subset("training")
    whole = fit(training, None, SMALL, tmp_path / "whole")
    first = fit(training, None, replace(SMALL, epochs=2), tmp_path / "parts")
    parts = fit(training, None, SMALL, tmp_path / "parts")
    assert first.spec.display_min_score is not None
    assert parts.spec.display_min_score == whole.spec.display_min_score


def test_spec_has_the_clock_of_the_training_videos(run: Path) -> None:
    """All simulated snippets last 0.64 s, so the service needs no duration."""
    assert load_checkpoint(run).spec.snippet_s == pytest.approx(0.64, rel=1e-3)


def test_post_classification_alone_gets_a_scale_for_its_class_scores(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """It learns from sums over videos, so single snippets need a scale, which the tags give."""
    recipe = SMALL.override({"pre": 0, "alpha": 0, "beta": 0, "epochs": 30})
    checkpoint = fit(simulated.subset("training"), None, recipe, tmp_path)
    assert checkpoint.spec.logit_scale > 1


def test_sigmoid_learns_from_videos_without_labels(tmp_path: Path) -> None:
    """One class and half of the videos without it: only the others get segments."""
    config = SimulationConfig(
        training_videos=40, validation_videos=20, classes=1, feature_dim=32, difficulty=0.3,
        background_share=0.5,
    )  # fmt: skip
    videos = read_native(*write_simulated(tmp_path / "data", config))
    training, validation = videos.subset("training"), videos.subset("validation")
    assert any(not video.labels for video in training.videos)
    recipe = SMALL.override({"activation": "sigmoid", "epochs": 40, "class_threshold": 0.5})
    recipe = recipe.override({"hidden_width": 64})
    checkpoint = fit(training, None, recipe, tmp_path / "run")
    assert checkpoint.spec.provenance.training_videos == 40
    result = evaluate(TorchEngine(checkpoint.network()), checkpoint.spec, validation, (0.5,))
    assert result.detection.average > 0.5
    empty = [video.id for video in validation.videos if not video.labels]
    assert sum(bool(result.segments[id_]) for id_ in empty) <= 1


def test_unusable_training_data_is_named(simulated: VideoSet, tmp_path: Path) -> None:
    """No label, NaN, other channels, no snippet, and a missing file."""
    training = simulated.subset("training")
    first = training.videos[0]
    unlabelled = replace(training, videos=tuple(replace(v, labels=()) for v in training.videos))
    with pytest.raises(DataError, match="no training video has a label"):
        fit(unlabelled, None, SMALL, tmp_path / "run")
    for name, array, message in (
        ("nan", np.full((50, 32), np.nan, dtype=np.float32), f"{first.id}.*NaN"),
        ("narrow", np.zeros((50, 31), dtype=np.float32), "differ in their channels"),
        ("empty", np.zeros((0, 32), dtype=np.float32), "shape"),
    ):
        np.save(tmp_path / f"{name}.npy", array)
        broken = replace(first, source=NpyFile(tmp_path / f"{name}.npy"))
        with pytest.raises(DataError, match=message):
            fit(
                replace(training, videos=(broken, *training.videos[1:])),
                None,
                SMALL,
                tmp_path / "r",
            )
    gone = replace(first, source=NpyFile(tmp_path / "gone.npy"))
    with pytest.raises(ValueError, match=r"gone\.npy"):
        fit(replace(training, videos=(gone, *training.videos[1:])), None, SMALL, tmp_path / "r")


def test_average_of_the_weights_is_kept_over_an_interruption(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """The result is the average, the optimizer updates the raw weights; both are bit-identical."""
    training, recipe = simulated.subset("training"), replace(SMALL, ema_decay=0.9)
    whole = fit(training, None, recipe, tmp_path / "whole")
    fit(training, None, replace(recipe, epochs=2), tmp_path / "parts")
    parts = fit(training, None, recipe, tmp_path / "parts")
    plain = fit(training, None, SMALL, tmp_path / "plain")
    assert torch.equal(weights(whole), weights(parts))
    assert not torch.equal(weights(whole), weights(plain))
    raw = torch.cat([value.flatten() for value in whole.raw_state.values()])
    assert torch.equal(raw, weights(plain))


def test_training_ends_when_the_validation_score_stops_improving(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """It ends after `patience` epochs; a second `fit` trains nothing."""
    training, validation = simulated.subset("training"), simulated.subset("validation")
    recipe = replace(SMALL, patience=3, epochs=60)
    last = fit(training, validation, recipe, tmp_path)
    assert last.epoch == last.improved_epoch + 3 < 60
    assert fit(training, validation, recipe, tmp_path).epoch == last.epoch
    with pytest.raises(OptionError, match="patience needs validation videos"):
        fit(training, None, recipe, tmp_path / "other")


def test_best_epoch_can_be_chosen_by_detection_map(simulated: VideoSet, tmp_path: Path) -> None:
    """The mAP of the best checkpoint equals its score."""
    training, validation = simulated.subset("training"), simulated.subset("validation")
    fit(training, validation, replace(SMALL, judge="mAP@0.5", epochs=6), tmp_path)
    best = load_checkpoint(tmp_path / BEST)
    result = evaluate(TorchEngine(best.network()), best.spec, validation, (0.5,))
    assert result.detection.average == pytest.approx(best.best_score, abs=1e-9)


def test_half_precision_learns_as_well(simulated: VideoSet, tmp_path: Path) -> None:
    """bfloat16 localizes as well, and the stored weights are float32."""
    training = simulated.subset("training")
    recipe = SMALL.override({"epochs": 25, "hidden_width": 64, "snippets": 96})
    checkpoint = fit(training, None, replace(recipe, precision="bf16"), tmp_path)
    assert {value.dtype for value in checkpoint.network_state.values()} == {torch.float32}
    engine = TorchEngine(checkpoint.network())
    result = evaluate(engine, checkpoint.spec, simulated.subset("validation"), (0.5,))
    assert result.detection.average > 0.6


def test_cosine_schedule_cannot_be_prolonged(simulated: VideoSet, tmp_path: Path) -> None:
    """More epochs would change every earlier learning rate."""
    training = simulated.subset("training")
    recipe = replace(SMALL, schedule="cosine", epochs=2)
    fit(training, None, recipe, tmp_path)
    with pytest.raises(OptionError, match="another recipe"):
        fit(training, None, replace(recipe, epochs=4), tmp_path)


def corrected(videos: VideoSet, count: int) -> VideoSet:
    """Returns the videos with the segments of the first `count` alone."""
    records = (
        video if index < count else replace(video, instances=())
        for index, video in enumerate(videos.videos)
    )
    return replace(videos, videos=tuple(records))


def test_times_reach_the_loss_only_where_segments_are_used(
    simulated: VideoSet, tmp_path: Path
) -> None:
    """By default the weights are those of tags alone; with `use` they differ."""
    training = simulated.subset("training")
    tags = fit(corrected(training, 0), None, SMALL, tmp_path / "tags")
    ignored = fit(training, None, SMALL, tmp_path / "ignored")
    used = fit(training, None, replace(SMALL, segments="use"), tmp_path / "used")
    assert torch.equal(weights(tags), weights(ignored))
    assert not torch.equal(weights(tags), weights(used))


@pytest.mark.parametrize("sampling", ["linear", "random"])
def test_an_interrupted_run_with_segments_ends_with_the_same_weights(
    simulated: VideoSet, tmp_path: Path, sampling: str
) -> None:
    """Bit-identical also with a ring; another video with segments is other data."""
    training = corrected(simulated.subset("training"), 5)
    recipe = SMALL.override({"segments": "use", "segment_ring": 0.1, "training_sampling": sampling})
    whole = fit(training, None, recipe, tmp_path / "whole")
    fit(training, None, replace(recipe, epochs=2), tmp_path / "parts")
    with pytest.raises(OptionError, match=f"other times: {training.videos[5].id}"):
        fit(corrected(simulated.subset("training"), 6), None, recipe, tmp_path / "parts")
    parts = fit(training, None, recipe, tmp_path / "parts")
    assert torch.equal(weights(whole), weights(parts))


def test_segments_that_are_wanted_have_to_be_there(simulated: VideoSet, tmp_path: Path) -> None:
    """Nothing is written where no training video has segments."""
    with pytest.raises(DataError, match="needs training videos with segments"):
        fit(corrected(simulated.subset("training"), 0), None,
            replace(SMALL, segments="use"), tmp_path / "out")  # fmt: skip
    assert not (tmp_path / "out").exists()
