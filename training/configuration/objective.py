"""The objective of a training run: the terms of the loss and their weights.

losses.py computes the terms. This file does not need torch, so presets can be listed without it.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from model.localization.localize import Activation
from model.spec import AbsenceTerm
from model.validation import check_ranges

ClassWeights: TypeAlias = Literal["equal", "balanced"]


@dataclass(frozen=True, slots=True)
class Objective:
    """Terms of the loss and their weights. A term of weight 0 is not computed."""

    topk_ratio: float = 0.125
    """Share of snippets (k / T) in the top-k mean of the pre-classification stream."""
    pre: float = 1.0
    """Weight of L_cls,e, the classification loss of the pre-classification stream."""
    post: float = 1.0
    """Weight of L_cls,o, the classification loss of the post-classification stream."""
    alpha: float = 0.05
    """Weight of L_c2c, the consistency of both streams."""
    beta: float = 5.0
    """Weight of L_a2c, the contrast of action and absence."""
    segment_weight: float = 1.0
    """Weight of L_seg, the classification loss of single snippets of videos with known times. It
    counts with `segments` `use` only."""
    segment_ring: float = 0.0
    """Share of a segment's length on either side of each of its edges in which snippets do not
    count in L_seg."""
    activation: Activation = "softmax"
    """`softmax` over all classes, as in the paper, or a `sigmoid` for each class. With `sigmoid`,
    videos without labels count and a single class can be learned."""
    absence: AbsenceTerm = "own"
    """Weights of the absence feature: `paper`, `own` or `released` (model/network.py)."""
    class_weights: ClassWeights = "equal"
    """Weight of a class in L_cls: `equal`, or `balanced` so that rare classes count as much as
    frequent ones."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            topk_ratio="(0, 1]",
            pre="[0, inf)",
            post="[0, inf)",
            alpha="[0, inf)",
            beta="[0, inf)",
            segment_weight="[0, inf)",
            segment_ring="[0, 0.5)",
        )

    @property
    def classifies_aggregated(self) -> bool:
        """Whether a term needs the post-classification stream."""
        return bool(self.post or self.alpha or self.beta)
