import numpy as np
import pytest

from training.measurement.metrics import tagging_map
from training.report.tagging import Confusion, confusion


def confused(scores: list, shown: list, threshold: float = 0.5) -> Confusion:
    labels_VC = np.array(shown, dtype=np.float32)
    labels = tuple("abcdefghijklmnopqrstuvwxyz"[: labels_VC.shape[1]])
    unlabelled_V = ~labels_VC.any(axis=1)
    return confusion(
        np.array(scores), labels_VC, unlabelled_V, labels=labels, class_threshold=threshold
    )


def test_counts_of_known_videos() -> None:
    """Four videos: correct; one class too many; two classes with one missed; nothing predicted."""
    result = confused(
        [[0.9, 0.1, 0.0], [0.8, 0.6, 0.1], [0.7, 0.2, 0.6], [0.2, 0.1, 0.3]],
        [[1, 0, 0], [1, 0, 0], [1, 1, 0], [0, 0, 1]],
    )
    assert result.videos_C.tolist() == [3, 1, 1]
    assert result.predicted_CC.tolist() == [[3, 1, 1], [0, 0, 1], [0, 0, 0]]
    assert result.unpredicted_C.tolist() == [0, 0, 1]
    assert result.pairs(9) == [(0, 1), (0, 2), (1, 2)]
    assert result.top1_accuracy == 1


def test_videos_without_a_label_have_a_row_of_their_own() -> None:
    """One class in four videos: shown and predicted, only shown, neither, only predicted."""
    result = confused([[0.9], [0.3], [0.1], [0.6]], [[1], [1], [0], [0]])
    assert (result.videos_C.tolist(), result.predicted_CC.tolist()) == ([2], [[1]])
    assert (result.unlabelled_videos, result.unpredicted_unlabelled_videos) == (2, 1)
    assert result.predicted_in_unlabelled_C.tolist() == [1]
    assert (result.pairs(9), result.most_confused()) == ([], [0])


def test_average_precisions_are_those_of_the_tagging_map() -> None:
    """A class that no video shows has no average precision."""
    scores, shown = [[0.9, 0.1, 0.2], [0.5, 0.9, 0.4]], [[1, 0, 0], [1, 1, 0]]
    result = confused(scores, shown)
    assert np.nanmean(result.ap_C) == tagging_map(np.array(scores), np.array(shown))
    assert np.isnan(result.ap_C[2])


def test_the_most_confused_classes_come_first_and_others_fill_up() -> None:
    """A matrix of five of 26 classes has the confused pair and the first three others."""
    scores, shown = np.eye(26), np.eye(26)
    scores[20, 24] = 1
    result = confused(scores, shown)
    assert result.most_confused(5) == [0, 1, 2, 20, 24]
    assert len(result.most_confused()) == 14


def test_without_labels_the_accuracy_is_unknown() -> None:
    """The accuracy is NaN if no video shows a class of the model."""
    result = confused([[0.9, 0.1]], [[0, 0]])
    assert np.isnan(result.top1_accuracy)
    assert result.most_confused() == []
    assert result.predicted_in_unlabelled_C.tolist() == pytest.approx([1, 0])
