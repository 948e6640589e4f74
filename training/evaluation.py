"""How good a network is on videos with known instances."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray

from model.arrays import check_features
from model.errors import DataError
from model.network import Ecm
from model.predict import CasEngine, VideoPrediction, predict_video
from model.segments import Segment
from model.spec import ExtractorIdentity, ModelSpec
from training.datasets.video_record import VideoRecord, VideoSet
from training.metrics import (
    DetectionScore,
    FrameAccuracy,
    Videos,
    detection_score,
    tagging_map,
    tiou_range,
)
from training.recipe import Judge

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
        # A copy, since torch wants memory that it may write and a mapped file is not that.
        features_BTD = torch.tensor(features_TD, device=self._device)[None]
        cas_TC: NDArray[np.float32] = self._network(features_BTD)[0].cpu().numpy()
        return cas_TC


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All figures of one network on one subset."""

    detection: DetectionScore
    """The ActivityNet metric."""
    frame_accuracy: float
    """Share of action snippets named rightly (paper, Table 6)."""
    tagging_map: float
    """Mean average precision of the video-level scores."""
    segments: Videos
    """What was found in each video."""
    class_scores_VC: NDArray[np.float64]
    """Probability of each of the spec's labels (column) in each video (row), in their order."""

    def figures(self) -> dict[str, float]:
        """Returns the figures by name, as the spec keeps them."""
        per_tiou = {
            f"mAP@{tiou:g}": float(value)
            for tiou, value in zip(self.detection.tiou_K, self.detection.map_K, strict=True)
        }
        return per_tiou | {
            "mAP": self.detection.average,
            "frame_accuracy": self.frame_accuracy,
            "tagging_mAP": self.tagging_map,
        }


def predict(engine: CasEngine, spec: ModelSpec, videos: Sequence[VideoRecord]) -> Results:
    """Yields each video with what is found in it, in order, one in memory at a time."""
    for video in videos:
        features_TD = check_features(video.features(), feature_dim=spec.feature_dim)
        yield video, predict_video(engine, features_TD, spec, duration_s=video.duration_s)


def require_extractor(spec: ModelSpec, videos: VideoSet) -> None:
    """Checks that videos have features of the kind that a model learned from, if both are known.

    Raises:
        DataError: they were made by another extractor.
    """
    unknown = ExtractorIdentity()
    if unknown not in (spec.extractor, videos.extractor) and spec.extractor != videos.extractor:
        raise DataError(
            f"the model learned from features of {spec.extractor.name!r}, those of "
            f"{videos.source} are of {videos.extractor.name!r}; extract them with the same"
        )


def evaluate(
    engine: CasEngine,
    spec: ModelSpec,
    videos: VideoSet,
    tiou_K: Sequence[float],
    *,
    progress: Progress = iter,
) -> Evaluation:
    """Returns the figures of a network on videos with known instances.

    Args:
        engine: runs the network.
        spec: its spec; labels and localization count.
        videos: where to evaluate.
        tiou_K: the thresholds of the detection metric.
        progress: wraps the iteration over the videos, to show a bar.

    Raises:
        DataError: no video has a timed instance, or the features are of another extractor.
    """
    require_extractor(spec, videos)
    truth: dict[str, Sequence[Segment]] = {video.id: video.instances for video in videos.videos}
    found: dict[str, Sequence[Segment]] = {}
    scores_VC = []
    accuracy = FrameAccuracy()
    for video, result in progress(predict(engine, spec, videos.videos)):
        found[video.id] = result.segments
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
        detection=detection_score(truth, found, tiou_K),
        frame_accuracy=accuracy.value,
        tagging_map=tagging_map(class_scores_VC, videos.labels_VC(spec.labels)),
        segments=found,
        class_scores_VC=class_scores_VC,
    )


def validation_score(engine: CasEngine, spec: ModelSpec, videos: VideoSet, judge: Judge) -> float:
    """Returns how good a network is on validation videos, as a recipe judges it.

    Raises:
        DataError: time stamps are asked for and no video has any.
    """
    if judge == "tags":
        scores_VC = np.array(
            [result.class_scores_C for _, result in predict(engine, spec, videos.videos)]
        )
        return tagging_map(scores_VC, videos.labels_VC(spec.labels))
    tiou_K = (0.5,) if judge == "mAP@0.5" else tiou_range("0.5:0.95:0.05")
    return evaluate(engine, spec, videos, tiou_K).detection.average
