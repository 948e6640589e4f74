"""Which classes the video-level scores take for each other.

A class is named in a video where its score passes the class threshold: then, and only then,
segments of it are looked for.

Axes: V videos, C classes of the model; in CC the row is a class that a video shows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.metrics import tagging_ap

SHOWN_CLASSES = 14
"""A matrix of more classes than this cannot be read."""


@dataclass(frozen=True, slots=True)
class Confusion:
    """How often classes are named in videos that show another one."""

    labels: tuple[str, ...]
    """The classes of the model."""
    videos_C: NDArray[np.intp]
    """Videos that show each class."""
    named_CC: NDArray[np.intp]
    """Of these, videos in which the column's class is named though they do not show it; on the
    diagonal, where it is named and shown."""
    unnamed_C: NDArray[np.intp]
    """Of these, videos in which no class is named."""
    named_in_empty_C: NDArray[np.intp]
    """Videos without any label in which the class is named."""
    empty_videos: int
    """Videos without any label."""
    silent_empty_videos: int
    """Of these, videos in which no class is named."""
    ap_C: NDArray[np.float64]
    """Average precision of the scores of a class over the videos; NaN where none shows it."""
    first_right: float
    """Share of the videos with a known label whose highest score is that of such a label."""

    def pairs(self, limit: int) -> list[tuple[int, int]]:
        """Returns the most confused (shown, named) classes, most videos first."""
        off_CC = self.named_CC * ~np.eye(len(self.labels), dtype=bool)
        order = np.argsort(-off_CC, axis=None, kind="stable")[:limit]
        rows, columns = np.unravel_index(order[off_CC.ravel()[order] > 0], off_CC.shape)
        return list(zip(rows.tolist(), columns.tolist(), strict=True))

    def most_confused(self, limit: int = SHOWN_CLASSES) -> list[int]:
        """Returns the classes of the most confused pairs, in the order of the labels."""
        chosen: dict[int, None] = {}
        for pair in self.pairs(limit * limit):
            if len(chosen.keys() | set(pair)) <= limit:
                chosen |= dict.fromkeys(pair)
        # Where few are confused, show that others are not.
        others = [c for c in np.flatnonzero(self.videos_C).tolist() if c not in chosen]
        return sorted([*chosen, *others[: limit - len(chosen)]])


def confusion(
    scores_VC: NDArray[np.floating],
    labels_VC: NDArray[np.floating],
    empty_V: NDArray[np.bool_],
    *,
    labels: tuple[str, ...],
    class_threshold: float,
) -> Confusion:
    """Returns the counts.

    Args:
        scores_VC: probability of each class in each video.
        labels_VC: 1 where a video shows a class.
        empty_V: the videos that show nothing; one that shows what the model does not know is none.
        labels: the names of the classes.
        class_threshold: tau, the score from which a class is named.
    """
    shown_VC, named_VC = labels_VC > 0, scores_VC >= class_threshold
    shown_CV, silent_V = shown_VC.T.astype(np.intp), ~named_VC.any(axis=1)
    wrong_CC = shown_CV @ (named_VC & ~shown_VC).astype(np.intp)
    first_V = shown_VC[np.arange(len(shown_VC)), scores_VC.argmax(axis=1)]
    known_V = shown_VC.any(axis=1)
    return Confusion(
        labels=labels,
        videos_C=shown_CV.sum(axis=1),
        named_CC=wrong_CC + np.diag((shown_VC & named_VC).sum(axis=0)),
        unnamed_C=shown_CV @ silent_V.astype(np.intp),
        named_in_empty_C=named_VC[empty_V].sum(axis=0),
        empty_videos=int(empty_V.sum()),
        silent_empty_videos=int((empty_V & silent_V).sum()),
        ap_C=tagging_ap(scores_VC, labels_VC),
        first_right=float(first_V[known_V].mean()) if known_V.any() else float("nan"),
    )
