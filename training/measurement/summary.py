"""Summary of a finished run: how well it recognizes the tags, and what to do next.

Axes: V videos, C classes.
"""

import math
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.predict import CasEngine
from model.spec import ModelSpec
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import predict_tags
from training.measurement.metrics import tagging_ap

NEAR_CHANCE = 0.1
"""A class counts as not learned if its average precision covers at most this share of the way
from that of random scores to 1."""


@dataclass(frozen=True, slots=True)
class ClassTagging:
    """Recognition of one class's tag."""

    label: str
    """Name of the class."""
    training_videos: int
    """Training videos that show the class."""
    ap: float
    """Average precision of the video-level scores; NaN where no measured video shows the class."""
    auc: float
    """Area under the ROC curve; NaN where the measured videos all or none show the class."""
    problem: str | None
    """Reason why the class could not be learned; None for a class that was."""


@dataclass(frozen=True, slots=True)
class TrainingSummary:
    """Result of a training run, for people."""

    held_out: bool
    """Whether the figures were measured on videos that training did not see."""
    videos: int
    """Number of videos that the figures were measured on."""
    classes: tuple[ClassTagging, ...]
    """Figures of each class, in the order of the spec's labels."""
    next_command: str
    """Command to run next."""

    @property
    def mean_ap(self) -> float:
        """Mean average precision over the classes that have one; NaN without any."""
        return mean([c.ap for c in self.classes])

    @property
    def mean_auc(self) -> float:
        """Mean area under the ROC curve over the classes that have one; NaN without any."""
        return mean([c.auc for c in self.classes])

    @property
    def measured_on(self) -> str:
        """The videos behind the figures, in words."""
        return f"{self.videos} {'held-out videos' if self.held_out else 'training videos'}" + (
            "" if self.held_out else ", not held out"
        )

    @property
    def not_learned(self) -> tuple[ClassTagging, ...]:
        """Classes that could not be learned, each with its problem."""
        return tuple(c for c in self.classes if c.problem)


def summarize(
    engine: CasEngine,
    spec: ModelSpec,
    training: VideoSet,
    validation: VideoSet | None,
    *,
    out: Path,
    data: str = "--data DIR",
) -> TrainingSummary:
    """Returns the summary of a run, from one pass over the validation or training videos.

    Args:
        engine: Engine that runs the trained network.
        spec: Spec of the network.
        training: Videos that the network learned from.
        validation: Held-out videos; without any, the figures are those of the training videos.
        out: Folder of the run, for the next command.
        data: Options that name the data set, for the next command.
    """
    videos = validation or training
    scores_VC = predict_tags(engine, spec, videos.videos)
    labels_VC = videos.labels_VC(spec.labels)
    tags_VC = training.labels_VC(spec.labels)
    ap_C = tagging_ap(scores_VC, labels_VC)
    classes = []
    for index, label in enumerate(spec.labels):
        is_shown_V, is_tagged_V = labels_VC[:, index] > 0, tags_VC[:, index] > 0
        ap = float(ap_C[index])
        problem = training_problem(is_tagged_V, spec) or chance_problem(ap, is_shown_V)
        auc = roc_auc(is_shown_V, scores_VC[:, index])
        classes.append(ClassTagging(label, int(is_tagged_V.sum()), ap, auc, problem))
    return TrainingSummary(
        held_out=validation is not None,
        videos=len(videos.videos),
        classes=tuple(classes),
        next_command=_next_command(validation, out, data),
    )


def training_problem(is_tagged_V: NDArray[np.bool_], spec: ModelSpec) -> str | None:
    """Returns the reason why no network can learn a class from these tags; None if one can.

    Args:
        is_tagged_V: Whether each training video shows the class.
        spec: Spec of the network; its activation counts.
    """
    if not is_tagged_V.any():
        return "no training video shows it"
    if spec.activation == "softmax" and len(spec.labels) == 1:
        return "a softmax over one class is always 1; use --activation sigmoid"
    if spec.activation == "sigmoid" and is_tagged_V.all():
        return "every training video shows it; add videos without it"
    return None


def chance_ap(positives: int, videos: int) -> float:
    """Returns the expected average precision of random scores without ties.

    The video at rank i is positive with probability positives / videos. Its precision is then
    expected to be (1 + (i - 1) (positives - 1) / (videos - 1)) / i.

    Example: with 1 positive among 4 videos, the ranks 1 to 4 are equally likely and have
    precision 1, 1/2, 1/3 and 1/4; the result is their mean, 0.52.
    """
    if videos == 1:
        return float(positives)
    rank_V = np.arange(1, videos + 1)
    return float(np.mean((1 + (rank_V - 1) * (positives - 1) / (videos - 1)) / rank_V))


def chance_problem(ap: float, is_shown_V: NDArray[np.bool_]) -> str | None:
    """Returns the reason why an average precision is no better than chance; None if it is."""
    if math.isnan(ap) or is_shown_V.all():
        return None
    chance = chance_ap(int(is_shown_V.sum()), len(is_shown_V))
    if ap > chance + NEAR_CHANCE * (1 - chance):
        return None
    return f"its average precision {ap:.2f} is near chance, {chance:.2f}"


def roc_auc(is_shown_V: NDArray[np.bool_], score_V: NDArray[np.float64]) -> float:
    """Returns the area under the ROC curve; NaN where all videos or none show the class."""
    if is_shown_V.all() or not is_shown_V.any():
        return math.nan
    from sklearn.metrics import roc_auc_score  # here, because the import takes a second

    return float(roc_auc_score(is_shown_V, score_V))


def mean(values: Sequence[float | None]) -> float:
    """Returns the mean of the values that are known; NaN without any."""
    finite = [value for value in values if value is not None and not math.isnan(value)]
    return float(np.mean(finite)) if finite else math.nan


def _next_command(validation: VideoSet | None, out: Path, data: str) -> str:
    """Returns `ecm evaluate` where held-out videos have times to measure on, else `ecm export`."""
    run = shlex.quote(str(out))
    if validation and any(video.instances for video in validation.videos):
        subset = shlex.quote(validation.videos[0].subset)
        return f"ecm evaluate {run} {data} --subset {subset}"
    name = shlex.quote(out.resolve().name)
    return f"ecm export {run} --repository models --name {name}"
