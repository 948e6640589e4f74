"""The second stage: a small network that scores proposals and moves their edges.

After P-MIL (CVPR 2023) and the second stage of HR-Pro (AAAI 2024). The classes are learned from
tags by multiple-instance learning (MIL), the tIoU and the edges from instances that a teacher
names.

Axes: N proposals, X inputs, C classes, Z = C + 1 classes with background.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from benchmarks.proposals.pools import Floats, Instances, Pool

WEIGHT_MIL, WEIGHT_SUPPRESSED, WEIGHT_EDGES, WEIGHT_TIOU = 2, 1, 2, 20
"""Weights of the losses, those of P-MIL where it has the term."""
RAMP_EPOCHS = 30
"""Epochs over which the losses of tIoU and edges rise to their weights."""
VIDEOS, PROPOSALS = 10, 200
"""Videos of a step, and proposals of a video in it, at most."""
EDGES_FROM = 0.5
"""tIoU with a teacher's instance from which a proposal learns its edges."""
MOST_MOVE = 0.5
"""Largest move of an edge, over the length of its proposal."""
REFRESH_EPOCHS = 5
"""Epochs after which a moving average names instances again."""


@dataclass(frozen=True, slots=True)
class HeadConfig:
    """Choices of a head."""

    parts: tuple[str, ...]
    """Descriptions of a proposal that the head reads; see pools.py."""
    teacher: Literal["segments", "average", "truth"] = "segments"
    """Instances to learn tIoU and edges from: the best `segments` of the network of tags, those of
    the head's own moving `average`, or the `truth`."""
    epochs: int = 40
    """Passes over the training videos."""
    learning_rate: float = 5e-4
    """Learning rate of Adam."""
    width: int = 256
    """Hidden units."""
    share: float = 0.5
    """Score of a teacher's instance, over the best score of its class in the video, at least."""
    iou: float = 0.2
    """tIoU from which a teacher drops the worse of two segments."""
    ema_decay: float = 0.99
    """Decay of the moving average in each step."""

    def inputs(self, pool: Pool) -> Tensor:
        """Returns what the head reads, (N, X)."""
        return torch.from_numpy(np.hstack([pool.parts[name] for name in self.parts]))


@dataclass(frozen=True, slots=True)
class Reading:
    """Outputs of a head for the proposals of a video."""

    class_score_N: Floats
    """Probability of the proposal's class."""
    attention_N: Floats
    """Probability that it shows an action."""
    tiou_N: Floats
    """Predicted tIoU with an instance."""
    times_N2: Floats
    """Start and end after the predicted move, in seconds."""


class Head(nn.Module):
    """One hidden layer, and a linear output for each of class, attention, tIoU and edges."""

    mean_X: Tensor
    deviation_X: Tensor

    def __init__(self, inputs_NX: Tensor, classes: int, config: HeadConfig) -> None:
        super().__init__()
        self.register_buffer("mean_X", inputs_NX.mean(dim=0))
        self.register_buffer("deviation_X", inputs_NX.std(dim=0) + 1e-3)
        self.hidden = nn.Sequential(
            nn.Linear(inputs_NX.shape[1], config.width), nn.ReLU(), nn.Dropout(0.5)
        )
        self.logits = nn.Linear(config.width, classes + 1)
        self.attention = nn.Linear(config.width, 1)
        self.tiou = nn.Linear(config.width, 1)
        self.edges = nn.Linear(config.width, 2)

    def forward(self, inputs_NX: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns logits (N, Z), attention (N,), tIoU (N,) and moves over the length (N, 2)."""
        hidden = self.hidden((inputs_NX - self.mean_X) / self.deviation_X)
        attention_N = self.attention(hidden)[:, 0].sigmoid()
        tiou_N = self.tiou(hidden)[:, 0].sigmoid()
        move_N2 = self.edges(hidden).clamp(-MOST_MOVE, MOST_MOVE)
        return self.logits(hidden), attention_N, tiou_N, move_N2


@dataclass(frozen=True, slots=True)
class _Sample:
    """A training video."""

    inputs_NX: Tensor
    tag_C: Tensor
    tiou_N: Tensor
    move_N2: Tensor


def taught_head(
    pools: Sequence[Pool], labels: Sequence[str], config: HeadConfig, seed: int
) -> Head:
    """Returns a head that learned from proposals of training videos."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    pools = [pool for pool in pools if len(pool.class_N)]
    head = Head(torch.cat([config.inputs(pool) for pool in pools]), len(labels), config)
    update = get_ema_multi_avg_fn(config.ema_decay)  # type: ignore[no-untyped-call]
    average = AveragedModel(head, multi_avg_fn=update)
    optimizer = torch.optim.Adam(head.parameters(), config.learning_rate, weight_decay=1e-4)
    samples = [_sample(pool, labels, config, None) for pool in pools]
    for epoch in range(config.epochs):
        if config.teacher == "average" and epoch and epoch % REFRESH_EPOCHS == 0:
            samples = [_sample(pool, labels, config, average.module) for pool in pools]
        ramp = min(1.0, (epoch + 1) / RAMP_EPOCHS)
        order_V = rng.permutation(len(samples))
        for first in range(0, len(samples), VIDEOS):
            own = [_drawn(samples[v], rng) for v in order_V[first : first + VIDEOS]]
            optimizer.zero_grad(set_to_none=True)
            _loss(head, own, ramp).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            average.update_parameters(head)
    return head.eval()


def _sample(
    pool: Pool, labels: Sequence[str], config: HeadConfig, teacher: nn.Module | None
) -> _Sample:
    tiou_N, nearest_N2 = pool.nearest(teacher_instances(pool, config, teacher))
    length_N1 = np.diff(pool.times_N2, axis=1)
    move_N2 = (nearest_N2 - pool.times_N2) / length_N1
    tag_C = torch.tensor([float(label in pool.video.labels) for label in labels])
    return _Sample(config.inputs(pool), tag_C, *map(_float32, (tiou_N, move_N2)))


def teacher_instances(
    pool: Pool, config: HeadConfig, teacher: nn.Module | None = None
) -> Instances:
    """Returns the instances that a head learns from; those of a network's scores without a head."""
    if config.teacher == "truth":
        return pool.instances
    score_N = pool.score_N
    if isinstance(teacher, Head):
        reading = read(teacher.eval(), pool, config)
        score_N = score_N + reading.tiou_N
        teacher.train()
    return pool.own_instances(score_N, config.share, config.iou)


def _float32(values: Floats) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))


def _drawn(sample: _Sample, rng: np.random.Generator) -> _Sample:
    """Returns a random part of a video's proposals."""
    row_N = torch.from_numpy(rng.permutation(len(sample.tiou_N))[:PROPOSALS])
    parts = sample.inputs_NX[row_N], sample.tag_C, sample.tiou_N[row_N], sample.move_N2[row_N]
    return _Sample(*parts)


def _loss(head: Head, samples: Sequence[_Sample], ramp: float) -> Tensor:
    """Returns the weighted sum of all losses."""
    sizes = [len(sample.tiou_N) for sample in samples]
    logits_NZ, attention_N, tiou_N, move_N2 = head(torch.cat([s.inputs_NX for s in samples]))
    mil = torch.stack(
        [
            _mil_loss(own_NZ, own_N, sample.tag_C)
            for own_NZ, own_N, sample in zip(
                logits_NZ.split(sizes), attention_N.split(sizes), samples, strict=True
            )
        ]
    ).mean()
    target_N = torch.cat([sample.tiou_N for sample in samples])
    target_N2 = torch.cat([sample.move_N2 for sample in samples])
    is_near_N1 = (target_N >= EDGES_FROM)[:, None]
    edges_N2 = functional.smooth_l1_loss(move_N2, target_N2, reduction="none") * is_near_N1
    edges = edges_N2.sum() / is_near_N1.sum().clamp(min=1)
    tiou = functional.smooth_l1_loss(tiou_N, target_N)
    return mil + ramp * (WEIGHT_TIOU * tiou + WEIGHT_EDGES * edges)


def _mil_loss(logits_NZ: Tensor, attention_N: Tensor, tag_C: Tensor) -> Tensor:
    """Returns the losses of a video's tags: with background, and suppressed by attention."""
    with_background_Z = torch.cat([tag_C, torch.ones(1)])
    without_Z = torch.cat([tag_C, torch.zeros(1)])
    suppressed_NZ = logits_NZ * attention_N[:, None]
    return WEIGHT_MIL * _tag_loss(logits_NZ, with_background_Z) + WEIGHT_SUPPRESSED * _tag_loss(
        suppressed_NZ, without_Z
    )


def _tag_loss(logits_NZ: Tensor, tag_Z: Tensor) -> Tensor:
    """Returns the cross-entropy of the mean of an eighth of the proposals, for each class."""
    k = max(1, len(logits_NZ) // 8)
    video_Z = logits_NZ.topk(k, dim=0).values.mean(dim=0)
    return -(video_Z.log_softmax(dim=0) * tag_Z).sum() / tag_Z.sum().clamp(min=1)


@torch.no_grad()
def read(head: Head, pool: Pool, config: HeadConfig) -> Reading:
    """Returns what a head in evaluation mode finds out about the proposals of a video."""
    logits_NZ, attention_N, tiou_N, move_N2 = head(config.inputs(pool))
    class_N1 = torch.from_numpy(pool.class_N)[:, None]
    probability_N = logits_NZ.softmax(dim=1).gather(1, class_N1)[:, 0]
    length_N1 = np.diff(pool.times_N2, axis=1)
    times_N2 = pool.times_N2 + length_N1 * move_N2.double().numpy()
    end_N = np.maximum(times_N2[:, 1], times_N2[:, 0] + 0.1 * length_N1[:, 0])
    return Reading(
        probability_N.double().numpy(),
        attention_N.double().numpy(),
        tiou_N.double().numpy(),
        np.stack([times_N2[:, 0], end_N], axis=1).clip(0, pool.video.duration_s),
    )
