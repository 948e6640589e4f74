import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from model.spec import ModelSpec
from training.checkpoint import load_checkpoint
from training.datasets.feature_files import HeldArray
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine
from training.measurement.metrics import tagging_ap, tagging_map
from training.measurement.summary import TrainingSummary, chance_ap, summarize, training_problem

SOFTMAX = ModelSpec(labels=("a", "b"), feature_dim=2, snippets=4, topk_ratio=0.5)
SIGMOID = replace(SOFTMAX, activation="sigmoid")


class TagEngine:
    """Takes features for logits."""

    def cas(self, features_TD: np.ndarray) -> np.ndarray:
        """Returns the features."""
        return features_TD


def relabelled(videos: VideoSet, labels: list[tuple[str, ...]], logits_VC: np.ndarray) -> VideoSet:
    """Videos of two snippets whose features are their logits."""
    records = tuple(
        replace(video, labels=own, source=HeldArray(np.tile(logits_C, (2, 1)).astype(np.float32)))
        for video, own, logits_C in zip(videos.videos, labels, logits_VC, strict=False)
    )
    return replace(videos, videos=records, classes=("a", "b"))


def summary_of(
    videos: VideoSet, labels: list[tuple[str, ...]], **kwargs: object
) -> TrainingSummary:
    logits_VC = np.array([[4, 0.0], [3, 0.1], [2, 0.0], [1, 0.1]])
    training = relabelled(videos, labels, logits_VC)
    return summarize(TagEngine(), SIGMOID, training, None, out=Path("runs/mine"), **kwargs)  # type: ignore[arg-type]


def test_run_with_validation_videos_is_measured_on_them(run: Path, simulated: VideoSet) -> None:
    """With the same tagging mAP as the evaluation; times make `evaluate` the next command."""
    checkpoint = load_checkpoint(run)
    training, validation = simulated.subset("training"), simulated.subset("validation")
    engine = TorchEngine(checkpoint.network())
    summary = summarize(engine, checkpoint.spec, training, validation, out=run, data="--data D")
    assert summary.held_out
    assert summary.measured_on == "12 held-out videos"
    assert summary.mean_ap > 0.9
    assert summary.mean_auc > 0.9
    assert [c.training_videos for c in summary.classes] == training.labels_VC(
        checkpoint.spec.labels
    ).sum(axis=0).tolist()
    assert summary.not_learned == ()
    assert summary.next_command == f"ecm evaluate {run} --data D --subset validation"


def test_run_without_validation_videos_says_so(simulated: VideoSet) -> None:
    """Figures of the training videos are marked; `export` is the next command."""
    summary = summary_of(simulated, [("a",), ("a",), ("b",), ("b",)])
    assert not summary.held_out
    assert summary.measured_on == "4 training videos, not held out"
    assert summary.next_command == "ecm export runs/mine --repository models --name mine"
    a, b = summary.classes
    assert (a.ap, a.auc, a.problem) == (1.0, 1.0, None)
    assert (b.ap, b.auc) == (0.5, 0.5)


def test_classes_that_cannot_be_learned_are_named_with_the_reason(simulated: VideoSet) -> None:
    """No positive video, no negative video, scores no better than chance, a softmax of one."""
    summary = summary_of(simulated, [("a",), ("a",), ("a",), ("a",)])
    assert [(c.label, c.problem) for c in summary.not_learned] == [
        ("a", "every training video shows it; add videos without it"),
        ("b", "no training video shows it"),
    ]
    reversed_ = summary_of(simulated, [(), (), ("a",), ("a", "b")])
    assert reversed_.not_learned[0].label == "a"
    assert "near chance" in str(reversed_.not_learned[0].problem)
    is_tagged_V = np.array([True, True])
    assert training_problem(is_tagged_V, SOFTMAX) is None
    alone = replace(SOFTMAX, labels=("a",))
    assert "--activation sigmoid" in str(training_problem(is_tagged_V, alone))


@pytest.mark.parametrize(("positives", "videos"), [(1, 4), (2, 5), (3, 3), (1, 1)])
def test_chance_is_the_mean_over_all_orders(positives: int, videos: int) -> None:
    """Average precision over every order of the videos."""
    labels_V = np.arange(videos) < positives
    orders = itertools.permutations(range(videos))
    aps = [tagging_ap(np.array([order]).T.astype(float), labels_V[:, None])[0] for order in orders]
    assert chance_ap(positives, videos) == pytest.approx(np.mean(aps))


def test_mean_leaves_out_classes_without_a_measured_video(simulated: VideoSet) -> None:
    """As the tagging mAP does."""
    summary = summary_of(simulated, [("a",), (), ("a",), ()])
    scores_V1 = np.array([[4.0], [3], [2], [1]])
    assert summary.mean_ap == pytest.approx(tagging_map(scores_V1, np.array([[1], [0], [1], [0]])))
    assert np.isnan(summary.classes[1].ap)
