"""The losses of ECM (paper, sections 3.3 to 3.5).

Axes: B videos, T snippets, D feature channels, C classes, X action and absence classes (2C).
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.localization.localize import Activation
from model.network import Ecm, topk_mean
from training.configuration.objective import Objective


@dataclass(frozen=True, slots=True)
class StreamScores:
    """Logits of both streams for a batch; None where no term needs them."""

    cas_BTC: Tensor
    """Class activation sequence."""
    pre_BC: Tensor
    """Logits of the pre-classification stream (s^e)."""
    post_BC: Tensor | None
    """Logits of the post-classification stream with W_a (s^o)."""
    absence_BC: Tensor | None
    """Logits of action absence (s~^o)."""

    def in_fp32(self) -> "StreamScores":
        """Returns the logits as float32, because losses lose too much in half precision."""
        post, absence = self.post_BC, self.absence_BC
        return StreamScores(
            self.cas_BTC.float(),
            self.pre_BC.float(),
            None if post is None else post.float(),
            None if absence is None else absence.float(),
        )


def stream_scores(
    objective: Objective,
    network: Ecm,
    features_BTD: Tensor,
    labels_BC: Tensor,
    keys_B: Tensor | None = None,
) -> StreamScores:
    """Returns the logits that the weighted terms need; `keys_B` determine dropout."""
    cas_BTC = network(features_BTD, keys_B=keys_B)
    pre_BC = topk_mean(cas_BTC, objective.topk_ratio)
    if not objective.classifies_aggregated:
        return StreamScores(cas_BTC, pre_BC, None, None)
    weights_BTC = network.action_weights(cas_BTC)
    if not objective.beta:
        post_BC = network.classify_aggregated(features_BTD, weights_BTC, keys_B)
        return StreamScores(cas_BTC, pre_BC, post_BC, None)
    post_BC, absence_BC = network.post_logits(
        features_BTD, weights_BTC, labels_BC, objective.absence, keys_B
    )
    return StreamScores(cas_BTC, pre_BC, post_BC, absence_BC)


def weighted_terms(
    objective: Objective,
    scores: StreamScores,
    labels_BC: Tensor,
    weight_C: Tensor | None = None,
    target_BTC: Tensor | None = None,
) -> dict[str, Tensor]:
    """Returns each term that has a weight, unweighted, and their weighted `total` (Eq. 5).

    Each term is a mean over videos. A batch's term is therefore the weighted mean of the terms
    of its micro-batches.
    """
    pre_BC, post_BC, absence_BC = scores.pre_BC, scores.post_BC, scores.absence_BC
    terms = {}
    if objective.pre:
        terms["cls_pre"] = classification_loss(pre_BC, labels_BC, objective.activation, weight_C)
    if objective.post and post_BC is not None:
        terms["cls_post"] = classification_loss(post_BC, labels_BC, objective.activation, weight_C)
    if objective.alpha and post_BC is not None:
        terms["c2c"] = c2c_loss(pre_BC, post_BC)
    if objective.beta and post_BC is not None and absence_BC is not None:
        terms["a2c"] = a2c_loss(post_BC, absence_BC, labels_BC, objective.activation)
    if objective.segment_weight and target_BTC is not None:
        terms["segments"] = segment_loss(scores.cas_BTC, target_BTC, objective.activation)
    weight = {
        "cls_pre": objective.pre,
        "cls_post": objective.post,
        "c2c": objective.alpha,
        "a2c": objective.beta,
        "segments": objective.segment_weight,
    }
    total = torch.stack([weight[name] * term for name, term in terms.items()]).sum()
    return terms | {"total": total}


class LossTerms(nn.Module):
    """Network and losses in one module, for torch.compile and DistributedDataParallel."""

    def __init__(
        self, network: Ecm, objective: Objective, labels_VC: Tensor, *, in_bf16: bool
    ) -> None:
        """Weighs the classes.

        Args:
            network: Network to train.
            objective: Terms and their weights.
            labels_VC: Labels of all training videos, which determine balanced class weights.
            in_bf16: Whether the network computes in bfloat16; the losses are float32 in any case.
        """
        super().__init__()
        self.network = network
        self.objective = objective
        self.in_bf16 = in_bf16
        self.weight_C: Tensor | None = None
        if objective.class_weights == "balanced":
            device = next(network.parameters()).device
            self.weight_C = balancing_weights(labels_VC, objective.activation).to(device)

    def forward(
        self,
        features_BTD: Tensor,
        labels_BC: Tensor,
        keys_B: Tensor,
        target_BTC: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Returns the loss terms of a batch."""
        with torch.autocast(features_BTD.device.type, torch.bfloat16, enabled=self.in_bf16):
            scores = stream_scores(self.objective, self.network, features_BTD, labels_BC, keys_B)
        return weighted_terms(
            self.objective, scores.in_fp32(), labels_BC, self.weight_C, target_BTC
        )


def classification_loss(
    logits_BC: Tensor,
    labels_BC: Tensor,
    activation: Activation,
    weight_C: Tensor | None = None,
) -> Tensor:
    """Returns L_cls, mean over videos.

    `softmax`: cross-entropy with the L1-normalised labels. `sigmoid`: binary cross-entropy, mean
    over classes. `weight_C` multiplies the contribution of a present class.
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
    """Returns the class weights (C,) with which rare classes count as much as frequent ones.

    `softmax`: inverse to the number of videos that show the class, with mean 1 over all tags.
    `sigmoid`: number of videos without the class over those with it. A class that no video shows
    has weight 1.

    Example: of 4 videos with one tag each, 3 show class a and 1 shows class b. The weights are
    4 / (2 * 3) and 4 / (2 * 1) with `softmax`, 1 / 3 and 3 / 1 with `sigmoid`.
    """
    shown_C = labels_VC.sum(dim=0)
    if activation == "sigmoid":
        weight_C = (len(labels_VC) - shown_C) / shown_C.clamp(min=1)
    else:
        weight_C = shown_C.sum() / ((shown_C > 0).sum() * shown_C.clamp(min=1))
    return torch.where(shown_C > 0, weight_C, torch.ones_like(weight_C))


def c2c_loss(pre_BC: Tensor, post_BC: Tensor) -> Tensor:
    """Returns L_c2c (Eq. 3), the mean squared difference of the two streams' raw logits."""
    return functional.mse_loss(pre_BC, post_BC)


def a2c_loss(
    action_BC: Tensor, absence_BC: Tensor, labels_BC: Tensor, activation: Activation
) -> Tensor:
    """Returns L_a2c (Eq. 4), which raises action logits and lowers absence logits.

    Only the classes present in a video count; a video without labels contributes 0. `softmax`:
    action and absence logits share one softmax over 2C, as in the released code. `sigmoid`: each
    logit has its own.
    """
    logits_BX = torch.cat([action_BC, absence_BC], dim=1)
    score_BX = logits_BX.softmax(dim=1) if activation == "softmax" else logits_BX.sigmoid()
    shown_BC, missing_BC = score_BX.chunk(2, dim=1)
    entropy_BC = functional.binary_cross_entropy(
        shown_BC, torch.ones_like(shown_BC), reduction="none"
    ) + functional.binary_cross_entropy(missing_BC, torch.zeros_like(missing_BC), reduction="none")
    present_B = labels_BC.sum(dim=1).clamp(min=1)
    return ((entropy_BC * labels_BC).sum(dim=1) / (2 * present_B)).mean()


def segment_loss(cas_BTC: Tensor, target_BTC: Tensor, activation: Activation) -> Tensor:
    """Returns L_seg, binary cross-entropy of single snippets with known targets, mean over videos.

    `sigmoid`: mean over the known snippets and classes of a video. `softmax`: its logits have no
    level of their own, so they count from their mean over the video. Each class with a segment
    contributes the mean of its inside and of its outside, half each; other classes do not count.
    A video without known targets contributes 0.

    Example: one class has logits 2, 0, 0, 0 and its segment in the first snippet. `sigmoid` is the
    mean of log(1 + exp(-2)) and three times log 2. `softmax` has logits 1.5, -0.5, -0.5, -0.5: the
    mean of log(1 + exp(-1.5)), inside, and log(1 + exp(-0.5)), outside.

    Args:
        cas_BTC: Class activation sequence.
        target_BTC: Share of a snippet that shows a class; NaN where unknown.
        activation: Function that turns logits into probabilities.
    """
    is_known_BTC = ~target_BTC.isnan()
    inside_BTC = target_BTC.nan_to_num()
    if activation == "softmax":
        cas_BTC = cas_BTC - cas_BTC.mean(dim=1, keepdim=True)
    entropy_BTC = is_known_BTC * functional.binary_cross_entropy_with_logits(
        cas_BTC, inside_BTC, reduction="none"
    )
    if activation == "sigmoid":
        return _mean_of(entropy_BTC, is_known_BTC, (1, 2)).mean()
    outside_BTC = is_known_BTC * (1 - inside_BTC)
    loss_BC = (
        _mean_of(entropy_BTC * inside_BTC, inside_BTC, 1)
        + _mean_of(entropy_BTC * outside_BTC, outside_BTC, 1)
    ) / 2
    has_segment_BC = inside_BTC.any(dim=1)
    return _mean_of(loss_BC * has_segment_BC, has_segment_BC, 1).mean()


def _mean_of(sums: Tensor, counts: Tensor, axes: int | tuple[int, ...]) -> Tensor:
    """Returns sums over some axes, divided by counts over the same axes or by 1."""
    return sums.sum(dim=axes) / counts.sum(dim=axes).clamp(min=1)
