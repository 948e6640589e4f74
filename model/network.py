"""The ECM network: one classifier that serves two streams (paper, section 3).

    features (B, T, D) --classifier--> class activation sequence (B, T, C)       pre-classification
                                              | weight transition, W_a = sigmoid
    features (B, T, D) --weighted sums--> class features (B, C, D, 3) --classifier--> (B, C)   post

Axes: B videos, T snippets, D feature channels, H hidden channels, C classes, K = 3 folds,
P pairs of a video and one of its classes. Inside, convolutions want the time last.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

AbsenceTerm: TypeAlias = Literal["paper", "own", "released"]
Attention: TypeAlias = Literal["class", "agnostic"]

FOLDS = 3
"""Aggregated features per class: as many as the first convolution is wide (paper, Figure 3)."""


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


class SnippetClassifier(nn.Module):
    """Phi: three temporal convolutions of widths 3, 3 and 1, the last one without bias."""

    def __init__(self, config: EcmConfig) -> None:
        super().__init__()
        width = config.hidden_width
        self.conv_1 = nn.Conv1d(config.feature_dim, width, 3, padding=1)
        self.conv_2 = nn.Conv1d(width, width, 3, padding=1)
        self.conv_3 = nn.Conv1d(width, config.classes, 1, bias=False)
        self.activation = nn.LeakyReLU(0.01)
        self.dropout = nn.Dropout(config.dropout)

    def hidden(self, features_BDT: Tensor, valid_B1T: Tensor | None = None) -> Tensor:
        """Returns what the last convolution sees, (B, H, T).

        Where `valid_B1T` is False the input of each convolution is zero, as it is beyond a
        video's ends, so a padded video gives what it gives alone.
        """
        for conv in (self.conv_1, self.conv_2):
            if valid_B1T is not None:
                features_BDT = features_BDT * valid_B1T
            features_BDT = self.activation(conv(features_BDT))
        return self.dropout(features_BDT)

    def forward(self, features_BDT: Tensor, valid_B1T: Tensor | None = None) -> Tensor:
        """Returns the logits of every class at every snippet, (B, C, T)."""
        return self.conv_3(self.hidden(features_BDT, valid_B1T))

    def classify_own(self, features_BCDK: Tensor) -> Tensor:
        """Returns (B, C): the feature of class c classified by Phi_c, mean over the folds."""
        videos, classes = features_BCDK.shape[:2]
        hidden_NHK = self.hidden(features_BCDK.flatten(0, 1))
        hidden_BCH = hidden_NHK.mean(dim=2).view(videos, classes, -1)
        return torch.einsum("bch,ch->bc", hidden_BCH, self.conv_3.weight[:, :, 0])


class Ecm(nn.Module):
    """Equivalent classification mapping: the shared classifier and the weight transition."""

    def __init__(self, config: EcmConfig) -> None:
        super().__init__()
        self.config = config
        self.classifier = SnippetClassifier(config)
        own_classifier = None if config.shared_classifier else SnippetClassifier(config)
        self.post_classifier = own_classifier
        weights = config.classes if config.attention == "class" else 1
        self.transition = nn.Conv1d(config.classes, weights, 1)

    def forward(self, features_BTD: Tensor, lengths_B: Tensor | None = None) -> Tensor:
        """Returns the class activation sequence, logits (B, T, C); 0 beyond a video's length."""
        features_BDT = features_BTD.transpose(1, 2)
        if lengths_B is None:
            return self.classifier(features_BDT).transpose(1, 2)
        steps_T = torch.arange(features_BTD.shape[1], device=features_BTD.device)
        valid_B1T = (steps_T < lengths_B[:, None])[:, None].to(features_BTD.dtype)
        cas_BCT = self.classifier(features_BDT, valid_B1T) * valid_B1T
        return cas_BCT.transpose(1, 2)

    def action_weights(self, cas_BTC: Tensor) -> Tensor:
        """Returns W_a, (B, T, C) in (0, 1), from the raw logits (section 3.2); W_b = 1 - W_a."""
        weights_BXT = torch.sigmoid(self.transition(cas_BTC.transpose(1, 2)))
        return weights_BXT.transpose(1, 2).expand(-1, -1, self.config.classes)

    def classify_aggregated(self, features_BTD: Tensor, weights_BTC: Tensor) -> Tensor:
        """Returns the post-classification logits (B, C) of class-wise weighted sums (Eq. 1, 2)."""
        classifier = self.post_classifier or self.classifier
        return classifier.classify_own(aggregate(features_BTD, weights_BTC))

    def absence_logits(
        self, features_BTD: Tensor, weights_BTC: Tensor, labels_BC: Tensor, term: AbsenceTerm
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
        """
        background_BTC = 1 - weights_BTC
        if term == "paper":
            return self.classify_aggregated(features_BTD, background_BTC)
        if term == "own":
            return self.classify_aggregated(features_BTD, weights_BTC * background_BTC)
        video_P, present_P = labels_BC.nonzero(as_tuple=True)
        passes_PTC = weights_BTC[video_P] * background_BTC[video_P, :, present_P, None]
        logits_PC = self.classify_aggregated(features_BTD[video_P], passes_PTC)
        mean_BC = torch.zeros_like(labels_BC).index_add(0, video_P, logits_PC)
        mean_BC = mean_BC / labels_BC.sum(dim=1, keepdim=True).clamp(min=1)
        own_P = logits_PC.gather(1, present_P[:, None])[:, 0]
        return mean_BC.index_put((video_P, present_P), own_P)


def aggregate(features_BTD: Tensor, weights_BTC: Tensor) -> Tensor:
    """Returns the weighted sums of each class, (B, C, D, 3).

    Fold i sums snippets i, i + 3, i + 6, ... (Figure 3). The sums are not divided by the
    weights' sum, as in Eq. 1.
    """
    missing = -features_BTD.shape[1] % FOLDS
    features_BTD = functional.pad(features_BTD, (0, 0, 0, missing))
    weights_BTC = functional.pad(weights_BTC, (0, 0, 0, missing))
    videos, snippets, channels = features_BTD.shape
    features_BNKD = features_BTD.reshape(videos, snippets // FOLDS, FOLDS, channels)
    weights_BNKC = weights_BTC.reshape(videos, snippets // FOLDS, FOLDS, -1)
    return torch.einsum("bnkc,bnkd->bcdk", weights_BNKC, features_BNKD)


def topk_mean(cas_BTC: Tensor, ratio: float) -> Tensor:
    """Returns the pre-classification logits (B, C): mean of the k = int(T * ratio) largest."""
    k = max(1, int(cas_BTC.shape[1] * ratio))
    return cas_BTC.topk(k, dim=1).values.mean(dim=1)
