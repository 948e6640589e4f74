"""Networks of the folds, and their output on the videos that they did not learn from.

Axes: T snippets, C classes.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from model.predict import (
    VideoPrediction,
    at_inference_length,
    check_finite,
    predict_from_cas,
    video_scores,
)
from model.spec import ModelSpec
from training.checkpoint import Checkpoint
from training.cross_validation.folds import Split
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.evaluation import TorchEngine

_log = logging.getLogger(__name__)

Train: TypeAlias = Callable[[VideoSet], Checkpoint]
"""Trains a network on some videos."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """Output of a network for a video that it did not learn from."""

    video: VideoRecord
    """The video."""
    fold: int
    """Number of the network."""
    cas_TC: NDArray[np.float32]
    """Class activation sequence, logits."""
    spec: ModelSpec
    """Spec of that network."""
    taught_C: NDArray[np.bool_]
    """Whether a video that the network learned from shows the class."""

    @property
    def scores_C(self) -> NDArray[np.float64]:
        """The class scores, (C,)."""
        return video_scores(self.cas_TC, self.spec)

    def predict(self) -> VideoPrediction:
        """Returns the localization of the video."""
        return predict_from_cas(self.cas_TC, self.spec, duration_s=self.video.duration_s)


def out_of_fold(splits: Sequence[Split], train: Train, device: str) -> list[HeldOut]:
    """Returns the output for all held-out videos, after a training for each learnable split.

    Raises:
        DataError: A video's features cannot be used.
    """
    found: list[HeldOut] = []
    for fold, split in enumerate(splits):
        if not split.is_learnable:
            _log.warning("fold %d is left out: the other videos all have the same tags", fold + 1)
            continue
        _log.info(
            "fold %d of %d learns from %s and is measured on %s",
            fold + 1, len(splits), _extent(split.learned), _extent(split.held_out),
        )  # fmt: skip
        found += _held_out(fold, split, train(split.learned), device)
    return found


def _extent(videos: VideoSet) -> str:
    minutes = sum(video.duration_s for video in videos.videos) / 60
    return f"{minutes:.1f} minutes of {len(videos.videos)} videos"


def _held_out(fold: int, split: Split, trained: Checkpoint, device: str) -> list[HeldOut]:
    engine = TorchEngine(trained.network().to(device), device)
    spec = trained.spec
    taught_C = np.asarray(split.learned.labels_VC(spec.labels).any(axis=0))
    found = []
    for video in split.held_out.videos:
        features_TD = video.features(feature_dim=spec.feature_dim)
        cas_TC = engine.cas(at_inference_length(features_TD, spec))
        check_finite(cas_TC, features_TD)
        found.append(HeldOut(video, fold, cas_TC, spec, taught_C))
    return found
