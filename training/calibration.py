"""Scale of the video-level logits where no loss has set it."""

import numpy as np
from numpy.typing import NDArray

from model.localization import softmax

SCALES = 2.0 ** np.arange(-4, 10)
"""Candidates: the post-classification stream sums over up to hundreds of snippets."""


def logit_scale(logits_VC: NDArray[np.floating], labels_VC: NDArray[np.floating]) -> float:
    """Returns the factor on the logits with which their softmax fits the tags best.

    Trained alone, the post-classification stream classifies sums over a video; single snippets
    then have logits that are smaller by the number of snippets, and no class would pass tau.
    Only tags are looked at, no time stamp.

    Args:
        logits_VC: top-k means of each training video (row) and class.
        labels_VC: 1 where a video shows a class, 0 elsewhere.
    """
    target_VC = labels_VC / np.maximum(labels_VC.sum(axis=1, keepdims=True), 1)
    losses = [
        -(target_VC * np.log(np.maximum(softmax(scale * logits_VC), 1e-30))).sum()
        for scale in SCALES
    ]
    return float(SCALES[int(np.argmin(losses))])
