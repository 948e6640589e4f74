"""The ECM network: one classifier that serves two streams (paper, section 3).

    features (B, T, D) --classifier--> class activation sequence (B, T, C)       pre-classification
                                              | weight transition, W_a = sigmoid
    features (B, T, D) --weighted sums--> class features (B, D, 3, C) --classifier--> (B, C)   post

Axes: B videos, T snippets, D feature channels, H hidden channels, C classes, K = 3 folds,
P pairs of a video and one of its classes. Inside, convolutions want the time last.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from model.dropout import derive_keys, drop

AbsenceTerm: TypeAlias = Literal["paper", "own", "released"]
Attention: TypeAlias = Literal["class", "agnostic"]

FOLDS = 3
"""Aggregated features per class: as many as the first convolution is wide (paper, Figure 3)."""

_ACTION, _ABSENCE = range(2)  # uses of a video's dropout key besides the first stream's


@dataclass(frozen=True, slots=True)
class EcmConfig:
    """The shape of the network."""

    feature_dim: int
    """Channels of the snippet features (D)."""
    classes: int
    """Action classes (C); there is no background class."""
    hidden_width: int = 2048
    """Channels of the two hidden convolutions (H)."""
    dropout: float = 0.5
    """Share of hidden channels dropped before the last convolution in training."""
    shared_classifier: bool = True
    """Whether both streams have one classifier, which is what ECM is about (Table 4)."""
    attention: Attention = "class"
    """Whether each `class` has aggregation weights of its own, or all share `agnostic` ones."""
    standardized: bool = False
    """Whether features are brought to the mean and deviation that they had in training."""


class Standardization(nn.Module):
    """Brings every channel to mean 0 and deviation 1 over the snippets that were learned from."""

    mean_D: Tensor
    deviation_D: Tensor

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.register_buffer("mean_D", torch.zeros(feature_dim))
        self.register_buffer("deviation_D", torch.ones(feature_dim))

    def forward(self, features_BTD: Tensor) -> Tensor:
        """Returns the features on that scale, (B, T, D)."""
        return (features_BTD - self.mean_D) / self.deviation_D


class SnippetClassifier(nn.Module):
    """Phi: three temporal convolutions of widths 3, 3 and 1, the last one without bias.

    `keys` choose what dropout drops in training (model/dropout.py); without them it is left to
    torch's random generator.
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
        """Returns the logits of every class at every snippet, (B, C, T).

        Where `valid_B1T` is False the input of each convolution is zero, as it is beyond a
        video's ends, so a padded video gives what it gives alone.
        """
        for conv in (self.conv_1, self.conv_2):
            if valid_B1T is not None:
                features_BDT = features_BDT * valid_B1T
            features_BDT = self.activation(conv(features_BDT))
        return self.conv_3(self.dropout(features_BDT, keys_B))

    def classify_own(
        self, features_BTD: Tensor, weights_BTX: Tensor, keys_B: Tensor | None = None
    ) -> Tensor:
        """Returns (B, X): weighted sums, that of class c classified by Phi_c, mean over the folds.

        Beside each other may stand the weights of all C classes several times. The sums are the
        width of a picture, in which nothing is mixed: one large convolution is several times
        faster than one of length 3 for each sum.
        """
        hidden_BHKX = self.activation(self.first_of_sums(features_BTD, weights_BTX))
        if hidden_BHKX.element_size() == 2:  # half precision likes its channels last
            hidden_BHKX = hidden_BHKX.contiguous(memory_format=torch.channels_last)
        weight = self.conv_2.weight[..., None]
        hidden_BHKX = functional.conv2d(hidden_BHKX, weight, self.conv_2.bias, padding=(1, 0))
        hidden_BHX = self.dropout(self.activation(hidden_BHKX), keys_B).mean(dim=2)
        hidden_BHSC = hidden_BHX.reshape(*hidden_BHX.shape[:2], -1, self.conv_3.out_channels)
        return torch.einsum("bhsc,ch->bsc", hidden_BHSC, self.conv_3.weight[:, :, 0]).flatten(1)

    def first_of_sums(self, features_BTD: Tensor, weights_BTX: Tensor) -> Tensor:
        """Returns the first convolution of the weighted sums, (B, H, 3, X).

        It is linear, so what its taps give may as well be summed as its input: the snippets are
        convolved or the sums, whichever are fewer.
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
        """Returns hidden values, in training with a share of them dropped."""
        if not self.training:
            return hidden_BX
        if keys_B is None:
            keys_B = torch.randint(2**31, hidden_BX.shape[:1], device=hidden_BX.device).int()
        return drop(hidden_BX, keys_B, self.dropout_share)


class Ecm(nn.Module):
    """Equivalent classification mapping: the shared classifier and the weight transition."""

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
        """Returns W_a, (B, T, C) in (0, 1), from the raw logits (section 3.2); W_b = 1 - W_a."""
        weights_BXT = torch.sigmoid(self.transition(cas_BTC.transpose(1, 2)))
        return weights_BXT.transpose(1, 2).expand(-1, -1, self.config.classes)

    def classify_aggregated(
        self, features_BTD: Tensor, weights_BTC: Tensor, keys_B: Tensor | None = None
    ) -> Tensor:
        """Returns the post-classification logits (B, C) of class-wise weighted sums (Eq. 1, 2)."""
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
        """Returns the post-classification and the action absence logits, (B, C) each.

        They are those of `classify_aggregated` and `absence_logits`, whose arguments these are, but
        in one convolution where the absence term has as many sums as there are classes.
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
        """Returns the action absence logits (B, C): how much action the background still shows.

        `term` chooses the weight with which class c sums the snippets:

        - `paper`: W_b[c] alone, as Eq. 2 says.
        - `own`: W_a[c] W_b[c], the snippets about which class c is undecided.
        - `released`: W_a[c] W_b[g] in one pass for each present class g, as in the released
          code. A present class takes the logit of its own pass, which is that of `own`; an
          absent one the mean over all passes.

        Args:
            features_BTD: snippet features.
            weights_BTC: W_a.
            labels_BC: 1 where a class is present, 0 elsewhere.
            term: one of the above.
            keys_B: choose what dropout drops.
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
    """Returns 1 where a video has snippets and 0 beyond its length, (B, 1, T)."""
    steps_T = torch.arange(features_BTD.shape[1], device=features_BTD.device)
    return (steps_T < lengths_B[:, None])[:, None].to(features_BTD.dtype)


def absence_weights(weights_BTC: Tensor, term: Literal["paper", "own"]) -> Tensor:
    """Returns the weights of the sums for the absence logits, (B, T, C)."""
    background_BTC = 1 - weights_BTC
    return background_BTC if term == "paper" else weights_BTC * background_BTC


def aggregate(features_BTD: Tensor, weights_BTC: Tensor) -> Tensor:
    """Returns the weighted sums of each class, (B, D, 3, C).

    Fold i sums snippets i, i + 3, i + 6, ... (Figure 3). The sums are not divided by the
    weights' sum, as in Eq. 1.
    """
    fold_T = torch.arange(weights_BTC.shape[1], device=weights_BTC.device) % FOLDS
    in_fold_TK = fold_T[:, None] == torch.arange(FOLDS, device=weights_BTC.device)
    weights_BTKC = weights_BTC[:, :, None] * in_fold_TK[..., None]
    sums_BDX = torch.bmm(features_BTD.mT, weights_BTKC.flatten(2))
    return sums_BDX.view(*sums_BDX.shape[:2], FOLDS, -1)


def tap_weights(weights_BTC: Tensor) -> Tensor:
    """Returns what each tap of a convolution over snippets adds to that of the sums, (B, 3T, 3C).

    A snippet in fold i meets tap j where the padded convolution stands at position i - j + 1.
    """
    fold_T = torch.arange(weights_BTC.shape[1], device=weights_BTC.device) % FOLDS
    tap_J = position_K = torch.arange(FOLDS, device=weights_BTC.device)
    meets_JTK = fold_T[:, None] == position_K + tap_J[:, None, None] - 1
    weights_BJTKC = weights_BTC[:, None, :, None] * meets_JTK[..., None]
    return weights_BJTKC.flatten(3, 4).flatten(1, 2)


def topk_mean(cas_BTC: Tensor, ratio: float) -> Tensor:
    """Returns the pre-classification logits (B, C): mean of the k = int(T * ratio) largest."""
    k = max(1, int(cas_BTC.shape[1] * ratio))
    return cas_BTC.topk(k, dim=1).values.mean(dim=1)
