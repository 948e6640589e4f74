"""Divisions of videos into folds, each of which is held out once.

Axes: V videos, G groups, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from training.datasets.video_record import VideoRecord, VideoSet


@dataclass(frozen=True, slots=True)
class Split:
    """Videos of one network."""

    learned: VideoSet
    """Videos to learn from."""
    held_out: VideoSet
    """Videos to measure on."""

    @property
    def is_learnable(self) -> bool:
        """Whether the tags of the videos to learn from differ, so that they teach something."""
        return len({video.labels for video in self.learned.videos}) > 1


def tag_folds(videos: Sequence[VideoRecord], folds: int, seed: int) -> NDArray[np.intp]:
    """Returns the fold of each video, (V,); every combination of tags is spread over all folds.

    Example: with 2 folds, three videos of Jump and two of Run are in folds 0, 1, 0 and 1, 0.
    """
    shuffled = np.random.default_rng(seed).permutation(len(videos))
    ordered = sorted(shuffled.tolist(), key=lambda index: videos[index].labels)
    fold_V = np.empty(len(videos), np.intp)
    fold_V[ordered] = np.arange(len(videos)) % folds
    return fold_V


def group_folds(
    group_V: NDArray[np.intp], weight_VC: NDArray[np.floating], folds: int, seed: int
) -> NDArray[np.intp]:
    """Returns the fold of each group, (G,), so that every fold has a like share of every class.

    The largest group comes first, and each goes to the fold that it leaves most even.

    Args:
        group_V: Group of each video, or part of a video, from 0.
        weight_VC: Amount of each class in each of them, for instance seconds. Parts that show no
            class count as a class of their own.
        folds: Number of folds; fewer if there are fewer groups.
        seed: Order of groups of equal size.
    """
    groups = int(group_V.max()) + 1
    amount_GC = np.zeros((groups, weight_VC.shape[1] + 1))
    nothing_V1 = (weight_VC.sum(axis=1, keepdims=True) == 0).astype(float)
    np.add.at(amount_GC, group_V, np.hstack([weight_VC, nothing_V1]))
    share_GC = amount_GC / np.maximum(amount_GC.sum(axis=0), 1e-9)
    shuffled = np.random.default_rng(seed).permutation(groups)
    order = shuffled[np.argsort(-share_GC.sum(axis=1)[shuffled], kind="stable")]
    folds = min(folds, groups)
    filled_FC = np.zeros((folds, share_GC.shape[1]))
    fold_G = np.empty(groups, np.intp)
    for group in order:
        # The sum of squares is smallest where what is added meets the least.
        fold_G[group] = np.argmin((filled_FC @ share_GC[group]) + 1e-6 * filled_FC.sum(axis=1))
        filled_FC[fold_G[group]] += share_GC[group]
    return fold_G


def splits(videos: VideoSet, fold_V: NDArray[np.intp]) -> list[Split]:
    """Returns one split for each fold that leaves videos to learn from."""
    made = []
    for fold in np.unique(fold_V):
        held_out = _where(videos, fold_V == fold)
        made.append(Split(_where(videos, fold_V != fold), held_out))
    return made


def _where(videos: VideoSet, chosen_V: NDArray[np.bool_]) -> VideoSet:
    kept = [video for video, chosen in zip(videos.videos, chosen_V, strict=True) if chosen]
    return replace(videos, videos=tuple(kept))
