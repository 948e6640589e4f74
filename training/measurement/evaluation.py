"""Evaluation of a network on videos: detection metric, frame accuracy and tagging.

Axes: T snippets, D feature channels, V videos, C classes, K tIoU thresholds.
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from model.errors import DataError
from model.localization.localize import LocalizationConfig
from model.localization.nothing_found import why_nothing_found
from model.network import Ecm
from model.predict import CasEngine, VideoPrediction, predict_video
from model.segments import Segment
from model.spec import ExtractorIdentity, ModelSpec
from training.configuration.recipe import Judge
from training.datasets.ambiguous import decided
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.metrics import (
    DetectionScore,
    FrameAccuracy,
    Videos,
    detection_score,
    tagging_map,
    tiou_range,
)

_log = logging.getLogger(__name__)

Results: TypeAlias = Iterator[tuple[VideoRecord, VideoPrediction]]
Progress: TypeAlias = Callable[[Results], Results]


class TorchEngine:
    """Runs the network in PyTorch."""

    def __init__(self, network: Ecm, device: torch.device | str = "cpu") -> None:
        self._network = network
        self._device = device

    @torch.inference_mode()
    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the class activation sequence, logits (T, C)."""
        # A copy, because torch wants writable memory and a memory-mapped file is read-only.
        features_BTD = torch.tensor(features_TD, device=self._device)[None]
        cas_TC: NDArray[np.float32] = self._network(features_BTD)[0].cpu().numpy()
        return cas_TC


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Results of one network on one subset."""

    detection: DetectionScore
    """ActivityNet's detection metric."""
    frame_accuracy: float
    """Share of action snippets whose class is right (paper, Table 6)."""
    tagging_map: float
    """Mean average precision of the video-level scores."""
    segments: Videos
    """Predicted segments of each video that count."""
    found: int
    """Number of segments, also of those in ambiguous times, which do not count."""
    class_scores_VC: NDArray[np.float64]
    """Probability of each of the spec's labels (column) in each video (row), in their order."""

    def figures(self) -> dict[str, float]:
        """Returns the figures under the names that a spec stores them by."""
        per_tiou = {
            f"mAP@{tiou:g}": float(value)
            for tiou, value in zip(self.detection.tiou_K, self.detection.map_K, strict=True)
        }
        frames = {"frame_accuracy": self.frame_accuracy} if self.tells_classes else {}
        return per_tiou | {
            "mAP": self.detection.average,
            **frames,
            "tagging_mAP": self.tagging_map,
        }

    @property
    def tells_classes(self) -> bool:
        """Whether there are several classes; with one, the class of a snippet is always right."""
        return self.class_scores_VC.shape[1] > 1

    def why_nothing_found(self, config: LocalizationConfig) -> str | None:
        """Returns the reason why no video has a segment that counts; None if one has."""
        if any(self.segments.values()):
            return None
        return why_nothing_counts(self.found, self.class_scores_VC, config)


def why_nothing_counts(
    found: int, class_scores_VC: NDArray[np.floating], config: LocalizationConfig
) -> str:
    """Returns the reason why no segment of some videos counts.

    Args:
        found: Number of segments, which all overlap ambiguous times.
        class_scores_VC: Probability of each class (column) in each video (row).
        config: Localization that found them.
    """
    if found:
        return f"the only {found} overlap ambiguous times, so they do not count"
    return why_nothing_found(class_scores_VC, config)


def predict(engine: CasEngine, spec: ModelSpec, videos: Sequence[VideoRecord]) -> Results:
    """Yields each video with its localization, in order. One video at a time is in memory.

    Raises:
        DataError: A video's features cannot be used; the message names the video.
    """
    for video in videos:
        features_TD = video.features(feature_dim=spec.feature_dim)
        yield video, predict_video(engine, features_TD, spec, duration_s=video.duration_s)


def predict_tags(
    engine: CasEngine, spec: ModelSpec, videos: Sequence[VideoRecord]
) -> NDArray[np.float64]:
    """Returns the probability of each class in each video, (V, C)."""
    return np.array([result.class_scores_C for _, result in predict(engine, spec, videos)])


def best_segment_scores(
    engine: CasEngine, spec: ModelSpec, videos: Sequence[VideoRecord]
) -> NDArray[np.float64]:
    """Returns the score of each class's best segment in each video, (V, C); -inf without one."""
    return best_scores((result for _, result in predict(engine, spec, videos)), spec.labels)


def best_scores(
    predictions: Iterable[VideoPrediction], labels: Sequence[str]
) -> NDArray[np.float64]:
    """Returns the score of each label's best segment in each video, (V, C); -inf without one."""
    column = {label: index for index, label in enumerate(labels)}
    rows = []
    for result in predictions:
        best_C = np.full(len(labels), -np.inf)
        for segment in result.segments:
            index = column[segment.label]
            best_C[index] = max(best_C[index], segment.score)
        rows.append(best_C)
    return np.array(rows)


def require_extractor(spec: ModelSpec, videos: VideoSet) -> None:
    """Checks that a model and videos have features of the same extractor, where both are known.

    Raises:
        DataError: The extractors differ.
    """
    unknown = ExtractorIdentity()
    if unknown not in (spec.extractor, videos.extractor) and spec.extractor != videos.extractor:
        raise DataError(
            f"the model was trained on features of {spec.extractor.name!r}, but {videos.source} "
            f"has features of {videos.extractor.name!r}; extract them with the same extractor"
        )


def require_labels(spec: ModelSpec, videos: VideoSet) -> None:
    """Checks that a model knows the classes of videos, and warns of those that it does not.

    Raises:
        DataError: The model knows none of the classes.
    """
    shown = {label for video in videos.videos for label in video.labels}
    unknown = sorted(shown - set(spec.labels))
    if unknown and len(unknown) == len(shown):
        raise DataError(
            f"{videos.source}: the model knows none of the classes {unknown[:5]}; it was trained "
            f"on {list(spec.labels[:5])}"
        )
    if unknown:
        _log.warning("%s: the model does not know the classes %s", videos.source, unknown)


def evaluate(
    engine: CasEngine,
    spec: ModelSpec,
    videos: VideoSet,
    tiou_K: Sequence[float],
    *,
    progress: Progress = iter,
) -> Evaluation:
    """Evaluates a network on videos with annotated times.

    As in W-TALC's protocol, segments that overlap ambiguous times of a video do not count.

    Args:
        engine: Engine that runs the network.
        spec: Spec of the network; its localization counts.
        videos: Videos to evaluate on.
        tiou_K: Thresholds of the detection metric.
        progress: Wraps the iteration over the videos, to show a progress bar.

    Raises:
        DataError: No video has annotated times, or the features are of another extractor.
    """
    require_extractor(spec, videos)
    return evaluation_of(progress(predict(engine, spec, videos.videos)), spec, videos, tiou_K)


def evaluation_of(
    results: Results, spec: ModelSpec, videos: VideoSet, tiou_K: Sequence[float]
) -> Evaluation:
    """Returns the figures of localized videos; see `evaluate`.

    Args:
        results: Each of the videos with its localization, in order.
        spec: Spec that localized them.
        videos: The videos.
        tiou_K: Thresholds of the detection metric.

    Raises:
        DataError: No video has annotated times.
    """
    truth: dict[str, Sequence[Segment]] = {video.id: video.instances for video in videos.videos}
    segments: dict[str, Sequence[Segment]] = {}
    scores_VC, found = [], 0
    accuracy = FrameAccuracy()
    for video, result in results:
        found += len(result.segments)
        segments[video.id] = decided(result.segments, video.ambiguous)
        scores_VC.append(result.class_scores_C)
        accuracy.add(
            result.cas_TC,
            result.class_scores_C >= spec.localization.class_threshold,
            video.instances,
            classes=spec.labels,
            duration_s=video.duration_s,
        )
    class_scores_VC = np.array(scores_VC)
    return Evaluation(
        detection=detection_score(truth, segments, tiou_K),
        frame_accuracy=accuracy.value,
        tagging_map=tagging_map(class_scores_VC, videos.labels_VC(spec.labels)),
        segments=segments,
        found=found,
        class_scores_VC=class_scores_VC,
    )


def validation_score(engine: CasEngine, spec: ModelSpec, videos: VideoSet, judge: Judge) -> float:
    """Returns the score on validation videos by which a recipe chooses its best epoch.

    Raises:
        DataError: The recipe judges by times and no video has any.
    """
    if judge == "tags":
        scores_VC = predict_tags(engine, spec, videos.videos)
        return tagging_map(scores_VC, videos.labels_VC(spec.labels))
    tiou_K = (0.5,) if judge == "mAP@0.5" else tiou_range("0.5:0.95:0.05")
    return evaluate(engine, spec, videos, tiou_K).detection.average
