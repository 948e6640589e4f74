import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.spec import ModelSpec
from training.checkpoint import LAST, load_checkpoint
from training.configuration.presets import preset
from training.configuration.recipe import Recipe
from training.cross_validation.calibrate import (
    calibrated_out_of_fold,
    calibration_of,
    passing_threshold,
    scored_by,
)
from training.cross_validation.out_of_fold import HeldOut
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoRecord, VideoSet
from training.loop import fit

SMALL = preset("demo").override({"hidden_width": 16, "snippets": 40, "epochs": 4})
TOLD = np.array([True])


def test_threshold_is_midway_below_the_lowest_score_that_counts_as_shown() -> None:
    """The docstring's example; without any tag, nothing is rejected that could have been shown."""
    score_VC = np.array([[0.9], [0.7], [0.4], [0.2]])
    tag_VC = np.array([[True], [True], [False], [False]])
    assert passing_threshold(score_VC, tag_VC, TOLD) == 0.54


def test_threshold_lets_every_told_class_pass() -> None:
    """A class with low scores lowers the threshold, unless it cannot be told from others."""
    score_VC = np.array([[0.9, 0.1], [0.8, 0.1], [0.1, 0.2], [0.1, 0.3], [0.1, 0.1]])
    tag_VC = np.array([[1, 0], [1, 0], [0, 1], [0, 1], [0, 0]], bool)
    low = passing_threshold(score_VC, tag_VC, np.array([True, True]))
    assert 0.1 < low <= 0.25
    lonely = score_VC * [1, 0.1]
    assert passing_threshold(lonely, tag_VC, np.array([True, True])) < 0.03
    assert passing_threshold(lonely, tag_VC, np.array([True, False])) > 0.1


def held_out(spec: ModelSpec, logits_VC: np.ndarray, labels: list[tuple[str, ...]]) -> list:
    shown_VC = np.array([[label in own for label in spec.labels] for own in labels])
    fold_V = np.arange(len(labels)) % 5
    return [
        HeldOut(
            VideoRecord(f"v{n}", "training", 2.0, own, (), HeldArray(np.ones((2, 8)))),
            int(fold_V[n]),
            np.tile(logits_C, (4, 1)).astype(np.float32) * [[1], [1], [0.1], [0.1]],
            spec,
            np.asarray(shown_VC[fold_V != fold_V[n]].any(axis=0)),
        )
        for n, (logits_C, own) in enumerate(zip(logits_VC, labels, strict=True))
    ]


def test_six_tags_of_a_softmax_all_pass(spec: ModelSpec) -> None:
    """A softmax gives each of six tags 0.17; calibrated, they are near 1, and none is empty."""
    labels = tuple("abcdefgh")
    spec = replace(spec, labels=labels, activation="softmax")
    rng = np.random.default_rng(0)
    shown_VC = np.ones((40, 8), bool)
    for row, missing in enumerate(rng.permuted(np.tile(np.arange(8), (40, 1)), axis=1)[:, :2]):
        shown_VC[row, missing] = False
    own = [tuple(np.array(labels)[row]) for row in shown_VC]
    found = held_out(spec, 6.0 * shown_VC + rng.normal(0, 1, shown_VC.shape), own)
    made = calibration_of(found, scored_by(found), Recipe())
    assert made.calibration.curve is not None
    assert made.calibration.log_loss[1] < made.calibration.log_loss[0]
    assert made.calibration.tagged_empty == 0
    applied = made.applied(spec)
    scores_C = replace(found[0], spec=applied).predict().class_scores_C
    assert (scores_C[shown_VC[0]] > 0.5).all()
    assert (scores_C[shown_VC[0]] >= applied.localization.class_threshold).all()


def test_class_that_is_scored_by_chance_is_named(spec: ModelSpec) -> None:
    """The first class is told, the second is noise, and the third is in one video alone."""
    rng = np.random.default_rng(1)
    spec = replace(spec, activation="sigmoid")
    shown_VC = rng.random((40, 3)) < [0.5, 0.3, 0]
    shown_VC[0, 2] = True
    own = [tuple(np.array(spec.labels)[row]) for row in shown_VC]
    found = held_out(spec, np.where(shown_VC, [4, 0, 0], [-4, 0, 0]), own)
    notes = calibration_of(found, scored_by(found), Recipe()).calibration.notes
    assert [note.split()[0] for note in notes] == [*spec.labels[1:]]


def test_fit_keeps_the_calibration_in_the_spec(simulated: VideoSet, tmp_path: Path) -> None:
    """Every training video is scored out of fold, once, also after a continued run."""
    training = simulated.subset("training")
    recipe = replace(SMALL, calibration_folds=2)
    fit(training, None, replace(recipe, epochs=2, calibration_folds=0), tmp_path)
    assert load_checkpoint(tmp_path / LAST).spec.calibration is None
    calibration = fit(training, None, recipe, tmp_path).spec.calibration
    assert calibration is not None
    assert (calibration.videos, calibration.folds) == (24, 2)
    assert len(calibration.auc_C) == 3
    assert calibration.tagged == 24
    assert load_checkpoint(tmp_path / LAST).spec.calibration == calibration


@pytest.mark.parametrize("videos", [2, 9])
def test_few_videos_are_not_calibrated(
    simulated: VideoSet, caplog: pytest.LogCaptureFixture, videos: int
) -> None:
    """The log has the reason, and no network is trained."""
    few = replace(simulated, videos=simulated.videos[:videos])
    recipe = replace(SMALL, calibration_folds=5)
    with caplog.at_level(logging.WARNING):
        assert calibrated_out_of_fold(few, recipe, lambda _: pytest.fail("trained"), "cpu") is None
    assert f"{videos} training videos" in caplog.text


def test_one_tag_in_one_video_is_not_calibrated(
    simulated: VideoSet, caplog: pytest.LogCaptureFixture
) -> None:
    """Its own fold has nothing to learn from and is left out, and the others have no tag."""
    bare = [replace(video, labels=()) for video in simulated.videos[:12]]
    bare[0] = replace(bare[0], labels=simulated.classes[:1])
    recipe = replace(SMALL.override({"activation": "sigmoid"}), calibration_folds=3, epochs=1)

    def train(learned: VideoSet) -> object:
        from training.configuration.execution import Execution
        from training.loop import trained
        from training.progress import step_bar

        with step_bar(recipe, name="test", steps=None) as progress:
            return trained(learned, recipe, execution=Execution(device="cpu"), progress=progress)

    with caplog.at_level(logging.INFO):
        few = replace(simulated, videos=tuple(bare))
        assert calibrated_out_of_fold(few, recipe, train, "cpu") is None  # type: ignore[arg-type]
    assert "is left out" in caplog.text
    assert "not calibrated" in caplog.text
