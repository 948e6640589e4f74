from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.calibration import SCALES, class_threshold, display_min_score, logit_scale
from training.checkpoint import BEST, load_checkpoint
from training.configuration.presets import PRESETS, preset
from training.datasets.feature_files import HeldArray
from training.datasets.opening import open_data
from training.datasets.video_record import VideoRecord, VideoSet
from training.loop import fit
from training.measurement.evaluation import TorchEngine, predict


def test_scale_is_found_that_the_logits_were_divided_by() -> None:
    """Logits are drawn so that their softmax is the labels' frequency, then divided by 32."""
    rng = np.random.default_rng(0)
    logits_VC = rng.standard_normal((4000, 3))
    probability_VC = np.exp(logits_VC) / np.exp(logits_VC).sum(axis=1, keepdims=True)
    drawn = [rng.choice(3, p=row) for row in probability_VC]
    labels_VC = np.eye(3)[drawn]
    assert logit_scale(logits_VC / 32, labels_VC, "softmax") == 32


def test_scale_of_independent_classes_is_found_too() -> None:
    """The same for labels drawn from the sigmoid of each logit."""
    rng = np.random.default_rng(0)
    logits_VC = 2 * rng.standard_normal((4000, 3))
    labels_VC = (rng.random((4000, 3)) < 1 / (1 + np.exp(-logits_VC))).astype(float)
    assert logit_scale(logits_VC / 8, labels_VC, "sigmoid") == 8


def brute_force(best_score_VC: np.ndarray, labels_VC: np.ndarray) -> float:
    """Every segment score as a threshold, from the lowest up; the first of the best counts."""
    best_f1, best_threshold = -1.0, 0.0
    for threshold in np.unique(best_score_VC[np.isfinite(best_score_VC)]):
        predicted_VC = best_score_VC >= threshold
        right = (predicted_VC & (labels_VC > 0)).sum()
        wrong = (predicted_VC != (labels_VC > 0)).sum()
        if labels_VC.any() and (f1 := 2 * right / (2 * right + wrong)) > best_f1:
            best_f1, best_threshold = f1, float(threshold)
    return best_threshold


pair = st.tuples(st.sampled_from([-np.inf, -0.1, 0.0, 0.2, 0.5, 0.7, 1.1]), st.booleans())


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(pair, pair), min_size=1, max_size=8))
def test_display_score_equals_brute_force(pairs: list) -> None:
    """On any scores, equal and absent ones included."""
    table = np.array(pairs, dtype=float)
    scores_VC, labels_VC = table[:, :, 0], table[:, :, 1]
    assert display_min_score(scores_VC, labels_VC) == brute_force(scores_VC, labels_VC)


def test_display_score_of_known_segments() -> None:
    """The docstring's example, a clear gap, and cases in which F1 is not defined."""
    scores_VC = np.array([[0.9, 0.7], [0.4, 0.2]])
    assert display_min_score(scores_VC, np.array([[1, 1], [0, 1]])) == 0.2
    assert display_min_score(scores_VC, np.array([[1, 1], [0, 0]])) == 0.7
    assert display_min_score(scores_VC, np.zeros((2, 2))) == 0
    assert display_min_score(np.full((2, 2), -np.inf), np.ones((2, 2))) == 0


@pytest.mark.parametrize("scale", [SCALES[0], SCALES[-1]])
def test_smallest_and_largest_scale_can_be_chosen(scale: float) -> None:
    """The candidates are the powers of 2 from 2^-4 to 2^9."""
    assert (SCALES[0], SCALES[-1]) == (2**-4, 2**9)
    rng = np.random.default_rng(0)
    logits_VC = rng.standard_normal((4000, 3))
    probability_VC = np.exp(logits_VC) / np.exp(logits_VC).sum(axis=1, keepdims=True)
    labels_VC = np.eye(3)[[rng.choice(3, p=row) for row in probability_VC]]
    assert logit_scale(logits_VC / scale, labels_VC, "softmax") == scale


def test_class_threshold_of_known_scores() -> None:
    """The docstring's example; a class without a video and a threshold that all reach."""
    scores_VC = np.array([[0.9, 0.3, 0.0], [0.18, 0.1, 0.0]])
    labels_VC = np.array([[1, 1, 0], [1, 0, 0]])
    assert class_threshold(scores_VC, labels_VC, 0.25) == 0.17
    assert class_threshold(scores_VC, labels_VC, 0.1) == 0.1
    assert class_threshold(scores_VC, np.zeros((2, 3)), 0.25) == 0.25
    assert class_threshold(np.array([[0.0]]), np.array([[1]]), 0.25) == 0


def test_one_video_in_ten_does_not_lower_the_class_threshold() -> None:
    """A video with a wrong tag would let every class pass everywhere."""
    scores_V1 = np.array([[0.002], *[[0.8]] * 9])
    assert class_threshold(scores_V1, np.ones((10, 1)), 0.25) == 0.25
    assert class_threshold(scores_V1[:9], np.ones((9, 1)), 0.25) == 0.0019


@given(st.floats(1e-12, 1), st.floats(0, 1))
def test_class_passes_with_a_margin(score: float, highest: float) -> None:
    """The threshold is at least 1 % below the score, or it is the highest allowed one."""
    threshold = class_threshold(np.array([[score]]), np.array([[1]]), highest)
    assert threshold == highest <= score or threshold <= 0.99 * score
    assert threshold == highest or threshold >= 0.88 * score


def many_tags() -> VideoSet:
    """Videos with six of seven tags, each of which has a channel that shows it."""
    rng = np.random.default_rng(0)
    classes = tuple("abcdefg")
    videos = []
    for number in range(14):
        features_TD = rng.standard_normal((60, 7)).astype(np.float32)
        labels = tuple(label for label in classes if label != classes[number % 7])
        for place, label in enumerate(labels):
            features_TD[8 * place : 8 * place + 6, classes.index(label)] += 4
        source = HeldArray(features_TD)
        videos.append(VideoRecord(f"v{number}", "training", 60.0, labels, (), source))
    return VideoSet(tuple(videos), classes, "many tags")


def passing_shares(path: Path, videos: VideoSet) -> list[float]:
    """Returns the share of its own videos in which each class passes."""
    checkpoint = load_checkpoint(path)
    spec, passes_VC = checkpoint.spec, []
    for _, result in predict(TorchEngine(checkpoint.network()), spec, videos.videos):
        passes_VC.append(result.class_scores_C >= spec.localization.class_threshold)
        assert result.segments
    labels_VC = videos.labels_VC(spec.labels)
    return ((passes_VC * labels_VC).sum(axis=0) / labels_VC.sum(axis=0)).tolist()


def test_every_class_passes_in_its_own_training_videos(tmp_path: Path) -> None:
    """Also where a softmax divides 1 among six tags; best.pt and a prolonged run alike."""
    videos = many_tags()
    recipe = preset("own-data").override({"hidden_width": 16, "snippets": 60, "epochs": 10})
    recipe = replace(recipe, learning_rate=1e-2)
    first = fit(videos, videos, recipe, tmp_path)
    assert first.spec.localization.class_threshold < 0.17
    for path in (tmp_path, tmp_path / BEST):
        assert min(passing_shares(path, videos)) >= 0.9
    longer = fit(videos, videos, replace(recipe, epochs=12), tmp_path)
    whole = fit(videos, videos, replace(recipe, epochs=12), tmp_path / "whole")
    assert longer.spec.localization == whole.spec.localization


def test_given_class_threshold_is_kept(tmp_path: Path) -> None:
    """The option goes before the tags; published presets have their own threshold."""
    changes = {"hidden_width": 8, "snippets": 16, "epochs": 1, "class_threshold": 0.3}
    last = fit(many_tags(), None, preset("own-data").override(changes), tmp_path)
    assert last.spec.localization.class_threshold == 0.3
    source = {name: preset(name).class_threshold_from for name in PRESETS}
    assert {source[name] for name in ("own-data", "own-videos", "demo")} == {"tags"}
    assert {source[name] for name in PRESETS if name[-1].isdigit() or "released" in name} == {
        "option"
    }


def test_gtea_is_localized_by_default(shared: Callable[[str], Path], tmp_path: Path) -> None:
    """28 videos with about six of seven tags each; a fixed threshold of 0.25 found nothing."""
    data = open_data(shared("data/cases/datasets/gtea"))
    subsets = {video.subset for video in data.videos}
    training = data.subset("training") if "training" in subsets else data
    recipe = preset("own-data").override({"hidden_width": 64, "epochs": 8})
    last = fit(training, None, recipe, tmp_path)
    engine = TorchEngine(last.network())
    assert all(result.segments for _, result in predict(engine, last.spec, data.videos))
