"""The ECM network: one classifier for two pipelines (paper, section 3).

    features (B, T, D) --classifier--> class activation sequence (B, T, C)       pre-classification
                                              | weight transition, W_a = sigmoid
    features (B, T, D) --weighted sums--> class features (B, D, 3, C) --classifier--> (B, C)   post

Axes: B videos, T snippets, D feature channels, H hidden channels, C classes, K = 3 folds, J = 3
taps of a convolution, X weighted sums (one for each class, or several), P pairs of a video and one
of its classes. For convolutions, time is the last axis.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.dropout import derive_keys, drop
from model.spec import AbsenceTerm, Attention
from model.validation import check_ranges

FOLDS = 3
"""Aggregated features of each class, one for each tap of the first convolution (Figure 3)."""

_ACTION, _ABSENCE = range(2)  # numbers that derive further dropout keys from the key of a video


@dataclass(frozen=True, slots=True)
class EcmConfig:
    """Sizes and variants of the network."""

    feature_dim: int
    """Channels of the features (D)."""
    classes: int
    """Number of action classes (C); there is no background class."""
    hidden_width: int = 2048
    """Channels of the two hidden convolutions (H)."""
    dropout: float = 0.5
    """Share of hidden channels dropped before the last convolution in training."""
    shared_classifier: bool = True
    """Whether both pipelines share one classifier, as in ECM (Table 4 of the paper)."""
    attention: Attention = "class"
    """Aggregation weights: separate ones for each `class`, or `agnostic` ones for all classes."""
    standardized: bool = False
    """Whether features are standardized by their mean and standard deviation in training."""

    def __post_init__(self) -> None:
        check_ranges(
            self,
            feature_dim="[1, inf)",
            classes="[1, inf)",
            hidden_width="[1, inf)",
            dropout="[0, 1)",
        )


class Standardization(nn.Module):
    """Scaling of each channel to mean 0 and standard deviation 1 over the training snippets."""

    mean_D: Tensor
    deviation_D: Tensor

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean_D", torch.zeros(feature_dim))
        self.register_buffer("deviation_D", torch.ones(feature_dim))

    def forward(self, features_BTD: Tensor) -> Tensor:
        """Returns the standardized features, (B, T, D)."""
        return (features_BTD - self.mean_D) / self.deviation_D


class SnippetClassifier(nn.Module):
    """Phi: three temporal convolutions of widths 3, 3 and 1, the last one without bias.

    Dropout in training follows the keys (model/dropout.py), or the random generator of torch if
    there are none.
    """

    def __init__(self, config: EcmConfig) -> None:
        super().__init__()
        width = config.hidden_width
        self.conv_1 = nn.Conv1d(config.feature_dim, width, 3, padding=1)
        self.conv_2 = nn.Conv1d(width, width, 3, padding=1)
        self.conv_3 = nn.Conv1d(width, config.classes, 1, bias=False)
        self.activation = nn.LeakyReLU(0.01, inplace=True)
        self.dropout_share = config.dropout

    def forward(
        self, features_BDT: Tensor, valid_B1T: Tensor | None = None, keys_B: Tensor | None = None
    ) -> Tensor:
        """Returns the logits of each class at each snippet, (B, C, T).

        The input of each convolution is 0 where `valid_B1T` is 0, as it is beyond the ends of a
        video. A padded video therefore has the same logits as the video alone.
        """
        features_BDT = features_BDT.contiguous()  # once, not in each pass of the convolution
        for conv in (self.conv_1, self.conv_2):
            if valid_B1T is not None:
                features_BDT = features_BDT * valid_B1T
            features_BDT = self.activation(conv(features_BDT))
        return self.conv_3(self.dropout(features_BDT, keys_B))

    def classify_own(
        self, features_BTD: Tensor, weights_BTX: Tensor, keys_B: Tensor | None = None
    ) -> Tensor:
        """Returns the logit of each weighted sum for its own class, (B, X), the mean of the folds.

        X is a multiple of C: sum x belongs to class x mod C. All sums go through one 2-D
        convolution, one column for each sum; this is several times faster than one short
        convolution a sum.
        """
        hidden_BHKX = self.activation(self.convolve_sums(features_BTD, weights_BTX))
        if hidden_BHKX.element_size() == 2:  # in half precision, channels last is faster
            hidden_BHKX = hidden_BHKX.contiguous(memory_format=torch.channels_last)
        weight = self.conv_2.weight[..., None]
        hidden_BHKX = functional.conv2d(hidden_BHKX, weight, self.conv_2.bias, padding=(1, 0))
        hidden_BHX = self.dropout(self.activation(hidden_BHKX), keys_B).mean(dim=2)
        hidden_BHSC = hidden_BHX.reshape(*hidden_BHX.shape[:2], -1, self.conv_3.out_channels)
        return torch.einsum("bhsc,ch->bsc", hidden_BHSC, self.conv_3.weight[:, :, 0]).flatten(1)

    def convolve_sums(self, features_BTD: Tensor, weights_BTX: Tensor) -> Tensor:
        """Returns the first convolution of the weighted sums, (B, H, 3, X).

        The convolution is linear, so either the snippets are summed and then convolved, or the
        taps are applied to the snippets and then summed. The cheaper order is chosen: the 3 X sums
        are convolved if they are no more than the T snippets.

        For 4 snippets s0 to s3 with weights w0 to w3, one sum has the folds
        f0 = w0 s0 + w3 s3, f1 = w1 s1, f2 = w2 s2. With the taps a, b, c of the convolution, its
        3 positions, zero-padded, are b f0 + c f1, a f0 + b f1 + c f2, a f1 + b f2.
        """
        videos, snippets, channels = features_BTD.shape
        weight_HDJ, bias_H = self.conv_1.weight, self.conv_1.bias
        if snippets >= FOLDS * weights_BTX.shape[2]:
            sums_BDKX = aggregate(features_BTD, weights_BTX)
            return functional.conv2d(sums_BDKX, weight_HDJ[..., None], bias_H, padding=(1, 0))
        weight_YD1 = weight_HDJ.transpose(1, 2).reshape(-1, channels, 1)
        taps_BHZ = functional.conv1d(features_BTD.mT, weight_YD1).view(videos, len(weight_HDJ), -1)
        assert bias_H is not None
        sums_BHY = torch.baddbmm(bias_H[:, None], taps_BHZ, tap_weights(weights_BTX))
        return sums_BHY.view(videos, len(weight_HDJ), FOLDS, -1)

    def dropout(self, hidden_BX: Tensor, keys_B: Tensor | None) -> Tensor:
        """Returns the hidden values; in training a share of them is dropped."""
        if not self.training:
            return hidden_BX
        if keys_B is None:
            keys_B = torch.randint(2**31, hidden_BX.shape[:1], device=hidden_BX.device).int()
        return drop(hidden_BX, keys_B, self.dropout_share)


class Ecm(nn.Module):
    """Equivalent classification mapping (ECM): the shared classifier and the weight transition."""

    def __init__(self, config: EcmConfig) -> None:
        super().__init__()
        self.config = config
        self.standardize = (
            Standardization(config.feature_dim) if config.standardized else nn.Identity()
        )
        self.classifier = SnippetClassifier(config)
        own_classifier = None if config.shared_classifier else SnippetClassifier(config)
        self.post_classifier = own_classifier
        weights = config.classes if config.attention == "class" else 1
        self.transition = nn.Conv1d(config.classes, weights, 1)

    def forward(
        self,
        features_BTD: Tensor,
        lengths_B: Tensor | None = None,
        keys_B: Tensor | None = None,
    ) -> Tensor:
        """Returns the class activation sequence, logits (B, T, C); 0 beyond a video's length."""
        features_BDT = self.standardize(features_BTD).transpose(1, 2)
        if lengths_B is None:
            return self.classifier(features_BDT, None, keys_B).transpose(1, 2)
        valid_B1T = valid_snippets(features_BTD, lengths_B)
        cas_BCT = self.classifier(features_BDT, valid_B1T, keys_B) * valid_B1T
        return cas_BCT.transpose(1, 2)

    def action_weights(self, cas_BTC: Tensor) -> Tensor:
        """Returns the weights W_a, (B, T, C) in (0, 1), of the raw logits (section 3.2).

        The weights of the background are W_b = 1 - W_a.
        """
        weights_BXT = torch.sigmoid(self.transition(cas_BTC.transpose(1, 2)))
        return weights_BXT.transpose(1, 2).expand(-1, -1, self.config.classes)

    def classify_aggregated(
        self, features_BTD: Tensor, weights_BTC: Tensor, keys_B: Tensor | None = None
    ) -> Tensor:
        """Returns the post-classification logits, (B, C), of the weighted sums (Eq. 1 and 2)."""
        classifier = self.post_classifier or self.classifier
        keys_B = None if keys_B is None else derive_keys(keys_B, _ACTION)
        return classifier.classify_own(self.standardize(features_BTD), weights_BTC, keys_B)

    def post_logits(
        self,
        features_BTD: Tensor,
        weights_BTC: Tensor,
        labels_BC: Tensor,
        term: AbsenceTerm,
        keys_B: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Returns the logits of `classify_aggregated` and of `absence_logits`, (B, C) each.

        Except for the term `released`, both are computed in one convolution.
        """
        if term == "released":
            post_BC = self.classify_aggregated(features_BTD, weights_BTC, keys_B)
            return post_BC, self.absence_logits(features_BTD, weights_BTC, labels_BC, term, keys_B)
        both_BTX = torch.cat([weights_BTC, absence_weights(weights_BTC, term)], dim=2)
        post_BC, absence_BC = self.classify_aggregated(features_BTD, both_BTX, keys_B).chunk(2, 1)
        return post_BC, absence_BC

    def absence_logits(
        self,
        features_BTD: Tensor,
        weights_BTC: Tensor,
        labels_BC: Tensor,
        term: AbsenceTerm,
        keys_B: Tensor | None = None,
    ) -> Tensor:
        """Returns the action absence logits, (B, C): how much action the background still shows.

        `term` chooses the weights of the sum for class c:

        - `paper`: W_b[c] alone, as in Eq. 2.
        - `own`: W_a[c] W_b[c], largest at the snippets about which class c is undecided.
        - `released`: W_a[c] W_b[g] in one pass for each present class g, as in the released
          code. The logit of a present class is that of its own pass, which equals `own`. The logit
          of an absent class is the mean over all passes.

        Args:
            features_BTD: snippet features.
            weights_BTC: W_a.
            labels_BC: 1 where a class is present, 0 elsewhere.
            term: `paper`, `own` or `released`.
            keys_B: dropout keys of the videos.
        """
        keys_B = None if keys_B is None else derive_keys(keys_B, _ABSENCE)
        if term != "released":
            absence_BTC = absence_weights(weights_BTC, term)
            return self.classify_aggregated(features_BTD, absence_BTC, keys_B)
        video_P, present_P = labels_BC.nonzero(as_tuple=True)
        passes_PTC = weights_BTC[video_P] * (1 - weights_BTC[video_P, :, present_P, None])
        keys_P = None if keys_B is None else derive_keys(keys_B[video_P], present_P)
        logits_PC = self.classify_aggregated(features_BTD[video_P], passes_PTC, keys_P)
        logits_PC = logits_PC.to(labels_BC.dtype)
        mean_BC = torch.zeros_like(labels_BC).index_add(0, video_P, logits_PC)
        mean_BC = mean_BC / labels_BC.sum(dim=1, keepdim=True).clamp(min=1)
        own_P = logits_PC.gather(1, present_P[:, None])[:, 0]
        return mean_BC.index_put((video_P, present_P), own_P)


def valid_snippets(features_BTD: Tensor, lengths_B: Tensor) -> Tensor:
    """Returns 1 within the length of each video and 0 beyond it, (B, 1, T)."""
    steps_T = torch.arange(features_BTD.shape[1], device=features_BTD.device)
    return (steps_T < lengths_B[:, None])[:, None].to(features_BTD.dtype)


def absence_weights(weights_BTC: Tensor, term: Literal["paper", "own"]) -> Tensor:
    """Returns the weights of the sums for the action absence logits, (B, T, C)."""
    background_BTC = 1 - weights_BTC
    return background_BTC if term == "paper" else weights_BTC * background_BTC


def aggregate(features_BTD: Tensor, weights_BTC: Tensor) -> Tensor:
    """Returns the weighted sums of each class, (B, D, 3, C).

    Fold k sums snippets k, k + 3, k + 6, ... (Figure 3). As in Eq. 1, the sums are not divided by
    the sum of the weights. Features 1, 2, 3, 4 with weights 0.1, 0.2, 0.3, 0.4 have the folds
    0.1 * 1 + 0.4 * 4 = 1.7, 0.2 * 2 = 0.4 and 0.3 * 3 = 0.9.
    """
    fold_T = torch.arange(weights_BTC.shape[1], device=weights_BTC.device) % FOLDS
    in_fold_TK = fold_T[:, None] == torch.arange(FOLDS, device=weights_BTC.device)
    weights_BTKC = weights_BTC[:, :, None] * in_fold_TK[..., None]
    sums_BDX = torch.bmm(features_BTD.mT, weights_BTKC.flatten(2))
    return sums_BDX.view(*sums_BDX.shape[:2], FOLDS, -1)


def tap_weights(weights_BTC: Tensor) -> Tensor:
    """Returns the weight of each tap of each snippet in each convolved sum, (B, 3T, 3C).

    Rows are taps j and snippets t, columns are positions p and classes. In the padded convolution
    over the folds, tap j at position p reads fold p + j - 1, so a snippet in fold k has the weight
    w_t where p = k - j + 1, and 0 elsewhere.

    For 4 snippets with weights w0 to w3, whose folds are 0, 1, 2, 0, and one class, the positions
    p = 0, 1, 2 of each row are:

        j = 0:  t0: 0 w0 0    t1: 0 0 w1    t2: 0 0 0     t3: 0 w3 0
        j = 1:  t0: w0 0 0    t1: 0 w1 0    t2: 0 0 w2    t3: w3 0 0
        j = 2:  t0: 0 0 0     t1: w1 0 0    t2: 0 w2 0    t3: 0 0 0
    """
    fold_T = torch.arange(weights_BTC.shape[1], device=weights_BTC.device) % FOLDS
    tap_J = position_K = torch.arange(FOLDS, device=weights_BTC.device)
    meets_JTK = fold_T[:, None] == position_K + tap_J[:, None, None] - 1
    weights_BJTKC = weights_BTC[:, None, :, None] * meets_JTK[..., None]
    return weights_BJTKC.flatten(3, 4).flatten(1, 2)


def topk_mean(cas_BTC: Tensor, ratio: float) -> Tensor:
    """Returns the pre-classification logits, (B, C): the mean of the k = int(T * ratio) largest."""
    k = max(1, int(cas_BTC.shape[1] * ratio))
    return cas_BTC.topk(k, dim=1).values.mean(dim=1)
