"""Classes that the video-level scores confuse with each other.

A class is predicted in a video if its score reaches the class threshold. Segments are searched for
in predicted classes only.

Axes: V videos, C classes of the model; in CC the row is the true class and the column the
predicted class.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.measurement.metrics import tagging_ap

SHOWN_CLASSES = 14
"""Largest number of classes in the confusion matrix, because larger ones are unreadable."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """Counts of predicted classes in the videos of each true class."""

    labels: tuple[str, ...]
    """Classes of the model."""
    videos_C: NDArray[np.intp]
    """Number of videos that show each class."""
    predicted_CC: NDArray[np.intp]
    """Number of videos that show the row's class and in which the column's class is predicted
    without being shown; on the diagonal, in which it is predicted and shown."""
    unpredicted_C: NDArray[np.intp]
    """Number of videos that show each class and in which no class is predicted."""
    predicted_in_unlabelled_C: NDArray[np.intp]
    """Number of videos without labels in which each class is predicted."""
    unlabelled_videos: int
    """Number of videos without labels."""
    unpredicted_unlabelled_videos: int
    """Number of videos without labels in which no class is predicted."""
    ap_C: NDArray[np.float64]
    """Average precision of each class's scores over the videos; NaN if no video shows it."""
    top1_accuracy: float
    """Share of the videos with known labels whose highest score belongs to one of their labels."""

    def pairs(self, limit: int) -> list[tuple[int, int]]:
        """Returns the most confused (true, predicted) pairs of classes, most videos first."""
        off_CC = self.predicted_CC * ~np.eye(len(self.labels), dtype=bool)
        order = np.argsort(-off_CC, axis=None, kind="stable")[:limit]
        rows, columns = np.unravel_index(order[off_CC.ravel()[order] > 0], off_CC.shape)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def most_confused(self, limit: int = SHOWN_CLASSES) -> list[int]:
        """Returns the classes of the most confused pairs, in the order of the labels."""
        chosen: dict[int, None] = {}
        for pair in self.pairs(limit * limit):
            if len(chosen.keys() | set(pair)) <= limit:
                chosen |= dict.fromkeys(pair)
        # Classes without confusion fill up the matrix, to show that they are not confused.
        others = [c for c in np.flatnonzero(self.videos_C).tolist() if c not in chosen]
        return sorted([*chosen, *others[: limit - len(chosen)]])


def confusion(
    scores_VC: NDArray[np.floating],
    labels_VC: NDArray[np.floating],
    unlabelled_V: NDArray[np.bool_],
    *,
    labels: tuple[str, ...],
    class_threshold: float,
) -> Confusion:
    """Returns how often each class is predicted in the videos of every other class.

    Args:
        scores_VC: probability of each class in each video.
        labels_VC: 1 where a video shows a class, else 0.
        unlabelled_V: whether a video has no label at all; a video whose only labels are unknown
            to the model is not one of these.
        labels: names of the classes.
        class_threshold: tau, the score from which on a class is predicted.
    """
    # Example: four videos of classes a and b with class_threshold 0.5.
    #   scores (a, b)   0.9 0.1    0.8 0.6    0.2 0.3    0.7 0.1
    #   shown           a          a          b          nothing
    #   predicted       a          a, b       nothing    a
    # predicted_CC is [[2, 1], [0, 0]], unpredicted_C is [0, 1], predicted_in_unlabelled_C [1, 0].
    shown_VC, predicted_VC = labels_VC > 0, scores_VC >= class_threshold
    shown_CV, unpredicted_V = shown_VC.T.astype(np.intp), ~predicted_VC.any(axis=1)
    wrong_CC = shown_CV @ (predicted_VC & ~shown_VC).astype(np.intp)
    top1_V = shown_VC[np.arange(len(shown_VC)), scores_VC.argmax(axis=1)]
    known_V = shown_VC.any(axis=1)
    return Confusion(
        labels=labels,
        videos_C=shown_CV.sum(axis=1),
        predicted_CC=wrong_CC + np.diag((shown_VC & predicted_VC).sum(axis=0)),
        unpredicted_C=shown_CV @ unpredicted_V.astype(np.intp),
        predicted_in_unlabelled_C=predicted_VC[unlabelled_V].sum(axis=0),
        unlabelled_videos=int(unlabelled_V.sum()),
        unpredicted_unlabelled_videos=int((unlabelled_V & unpredicted_V).sum()),
        ap_C=tagging_ap(scores_VC, labels_VC),
        top1_accuracy=float(top1_V[known_V].mean()) if known_V.any() else float("nan"),
    )
