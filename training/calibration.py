"""Scale of the video-level logits where no loss has set it."""

import numpy as np
import torch
from numpy.typing import NDArray

from model.localize import Activation
from training.losses import classification_loss

SCALES = 2.0 ** np.arange(-4, 10)
"""Candidates: the post-classification stream sums over up to hundreds of snippets."""


def logit_scale(
    logits_VC: NDArray[np.floating], labels_VC: NDArray[np.floating], activation: Activation
) -> float:
    """Returns the factor on the logits with which their probabilities fit the tags best.

    Trained alone, the post-classification stream classifies sums over a video; single snippets
    then have logits that are smaller by the number of snippets, and no class would pass tau.
    Only tags are looked at, no time stamp.

    Args:
        logits_VC: top-k means of each training video (row) and class.
        labels_VC: 1 where a video shows a class, 0 elsewhere.
        activation: what makes logits probabilities.
    """
    logits, labels = torch.from_numpy(logits_VC), torch.from_numpy(labels_VC)
    losses = [classification_loss(scale * logits, labels, activation) for scale in SCALES]
    return float(SCALES[int(np.argmin(losses))])
