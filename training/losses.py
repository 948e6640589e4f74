"""The losses of ECM (paper, sections 3.3 to 3.5). Axes: B videos, C classes."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor
from torch.nn import functional

from model.localize import Activation
from model.network import AbsenceTerm, Ecm, topk_mean

ClassWeights: TypeAlias = Literal["equal", "balanced"]


@dataclass(frozen=True, slots=True)
class Objective:
    """Which terms are learned from, and how strongly. A term of weight 0 is not computed."""

    topk_ratio: float = 0.125
    """k over T in the top-k mean of the pre-classification stream."""
    pre: float = 1.0
    """Weight of L_cls,e, the pre-classification stream."""
    post: float = 1.0
    """Weight of L_cls,o, the post-classification stream."""
    alpha: float = 0.05
    """Weight of L_c2c."""
    beta: float = 5.0
    """Weight of L_a2c."""
    activation: Activation = "softmax"
    """`softmax` shares one among the classes, as in the paper; `sigmoid` judges each class by
    itself, so that videos without any label count and a single class can be learned."""
    absence: AbsenceTerm = "own"
    """How the absence feature is made: `paper`, `own` or `released` (model/network.py)."""
    class_weights: ClassWeights = "equal"
    """Weight of a class in L_cls: `equal`, or `balanced`, the larger the fewer videos show it."""

    @property
    def classifies_aggregated(self) -> bool:
        """Whether a term needs the post-classification stream."""
        return bool(self.post or self.alpha or self.beta)

    def scores(
        self,
        network: Ecm,
        features_BTD: Tensor,
        labels_BC: Tensor,
        keys_B: Tensor | None = None,
    ) -> "StreamScores":
        """Returns the logits that the weighted terms need; `keys_B` choose what is dropped."""
        cas_BTC = network(features_BTD, keys_B=keys_B)
        pre_BC = topk_mean(cas_BTC, self.topk_ratio)
        if not self.classifies_aggregated:
            return StreamScores(cas_BTC, pre_BC, None, None)
        weights_BTC = network.action_weights(cas_BTC)
        if not self.beta:
            post_BC = network.classify_aggregated(features_BTD, weights_BTC, keys_B)
            return StreamScores(cas_BTC, pre_BC, post_BC, None)
        post_BC, absence_BC = network.post_logits(
            features_BTD, weights_BTC, labels_BC, self.absence, keys_B
        )
        return StreamScores(cas_BTC, pre_BC, post_BC, absence_BC)

    def losses(self, network: Ecm, features_BTD: Tensor, labels_BC: Tensor) -> dict[str, Tensor]:
        """Returns the `terms` of what a network says of a batch."""
        return self.terms(self.scores(network, features_BTD, labels_BC), labels_BC)

    def terms(
        self, scores: "StreamScores", labels_BC: Tensor, weight_C: Tensor | None = None
    ) -> dict[str, Tensor]:
        """Returns each term that has a weight, unweighted, and their weighted `total` (Eq. 5).

        Each is a mean over videos, so the terms of a batch are the weighted means of its parts.
        """
        pre_BC, post_BC, absence_BC = scores.pre_BC, scores.post_BC, scores.absence_BC
        terms = {}
        if self.pre:
            terms["cls_pre"] = classification_loss(pre_BC, labels_BC, self.activation, weight_C)
        if self.post and post_BC is not None:
            terms["cls_post"] = classification_loss(post_BC, labels_BC, self.activation, weight_C)
        if self.alpha and post_BC is not None:
            terms["c2c"] = c2c_loss(pre_BC, post_BC)
        if self.beta and post_BC is not None and absence_BC is not None:
            terms["a2c"] = a2c_loss(post_BC, absence_BC, labels_BC, self.activation)
        weight = {"cls_pre": self.pre, "cls_post": self.post, "c2c": self.alpha, "a2c": self.beta}
        total = torch.stack([weight[name] * term for name, term in terms.items()]).sum()
        return terms | {"total": total}


@dataclass(frozen=True, slots=True)
class StreamScores:
    """What both streams say of a batch; None where no term needs it."""

    cas_BTC: Tensor
    """The class activation sequence, logits."""
    pre_BC: Tensor
    """Logits of the pre-classification stream (s^e)."""
    post_BC: Tensor | None
    """Logits of the post-classification stream with W_a (s^o)."""
    absence_BC: Tensor | None
    """Action absence logits (s~^o)."""

    def in_fp32(self) -> "StreamScores":
        """Returns them as float32: the losses are not computed in half precision."""
        post, absence = self.post_BC, self.absence_BC
        return StreamScores(
            self.cas_BTC.float(),
            self.pre_BC.float(),
            None if post is None else post.float(),
            None if absence is None else absence.float(),
        )


def classification_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    activation: Activation,
    weight_C: Tensor | None = None,
) -> Tensor:
    """Returns L_cls, mean over videos.

    `softmax`: cross-entropy against the L1-normalised labels. `sigmoid`: binary cross-entropy,
    mean over classes. `weight_C` multiplies what a present class contributes.
    """
    if activation == "sigmoid":
        return functional.binary_cross_entropy_with_logits(
            logits_BC, labels_BC, pos_weight=weight_C
        )
    target_BC = labels_BC / labels_BC.sum(dim=1, keepdim=True).clamp(min=1)
    if weight_C is not None:
        target_BC = target_BC * weight_C
    return -(target_BC * logits_BC.log_softmax(dim=1)).sum(dim=1).mean()


def balancing_weights(labels_VC: Tensor, activation: Activation) -> Tensor:
    """Returns the weight of each class (C,) with which frequent and rare ones count the same.

    `softmax`: inverse to how many videos show the class, mean 1 over all tags. `sigmoid`: videos
    without the class over videos with it. A class that no video shows has weight 1.
    """
    shown_C = labels_VC.sum(dim=0)
    if activation == "sigmoid":
        weight_C = (len(labels_VC) - shown_C) / shown_C.clamp(min=1)
    else:
        weight_C = shown_C.sum() / ((shown_C > 0).sum() * shown_C.clamp(min=1))
    return torch.where(shown_C > 0, weight_C, torch.ones_like(weight_C))


def c2c_loss(pre_BC: Tensor, post_BC: Tensor) -> Tensor:
    """Returns L_c2c (Eq. 3): mean squared difference of the two streams' raw logits."""
    return functional.mse_loss(pre_BC, post_BC)


def a2c_loss(
    action_BC: Tensor, absence_BC: Tensor, labels_BC: Tensor, activation: Activation
) -> Tensor:
    """Returns L_a2c (Eq. 4): present classes show in the action logits, not in the absence ones.

    `softmax`: action and absence logits share one over 2C, as in the released code. `sigmoid`:
    each logit by itself. A video without any label counts 0.
    """
    logits_BX = torch.cat([action_BC, absence_BC], dim=1)
    score_BX = logits_BX.softmax(dim=1) if activation == "softmax" else logits_BX.sigmoid()
    shown_BC, missing_BC = score_BX.chunk(2, dim=1)
    entropy_BC = functional.binary_cross_entropy(
        shown_BC, torch.ones_like(shown_BC), reduction="none"
    ) + functional.binary_cross_entropy(missing_BC, torch.zeros_like(missing_BC), reduction="none")
    present_B = labels_BC.sum(dim=1).clamp(min=1)
    return ((entropy_BC * labels_BC).sum(dim=1) / (2 * present_B)).mean()
