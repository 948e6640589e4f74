"""All numbers of a report.

Axes: K tIoU thresholds, C classes, V videos, N predictions.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.spec import ModelSpec
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import Evaluation
from training.measurement.metrics import RankedDetections, Videos, rank_detections
from training.report.diagnosis import Diagnosis, diagnose
from training.report.precision_recall import PrecisionRecall, precision_recall
from training.report.reliability import Reliability, reliability
from training.report.tagging import Confusion, confusion
from training.report.video_scores import VideoScore, video_scores

PREFERRED_TIOU = 0.5
"""Details are shown at the evaluated tIoU threshold that is nearest to this one."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """Localization and tagging quality of one class."""

    label: str
    """Name of the class."""
    instances: int
    """Number of ground-truth instances."""
    videos: int
    """Number of videos with an instance."""
    segments: int
    """Number of predicted segments."""
    ap_K: NDArray[np.float64]
    """Average precision of the segments at each tIoU threshold."""
    tagging_ap: float
    """Average precision of the video-level scores; NaN if the model does not know the class."""
    highest_score: float
    """Highest video-level score in any video; NaN if the model does not know the class."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All numbers of a report."""

    evaluation: Evaluation
    """Headline figures, segments and video-level scores."""
    shown_k: int
    """Index of the tIoU threshold at which details are shown."""
    classes: tuple[ClassFigures, ...]
    """Classes of the ground truth, highest average precision first."""
    unscored_classes: tuple[str, ...]
    """Classes of the model that have no instance in these videos."""
    unscored_segments: int
    """Number of predicted segments of these classes; the metric and the report ignore them."""
    precision_recall: PrecisionRecall
    """Precision-recall curves of all classes."""
    confusion: Confusion
    """Classes that the video-level scores confuse with each other."""
    diagnosis: Diagnosis
    """Types of errors among the segments."""
    segment_reliability: Reliability
    """Segment scores against hits at the shown tIoU threshold."""
    tag_reliability: Reliability
    """Video-level scores of all classes in all videos against the labels."""
    top1_reliability: Reliability
    """Highest video-level score of each video against the labels."""
    videos: tuple[VideoScore, ...]
    """Videos with instances, best first."""

    @property
    def tiou(self) -> float:
        """The tIoU threshold at which details are shown."""
        return self.evaluation.detection.tiou_K[self.shown_k]


def find(spec: ModelSpec, videos: VideoSet, evaluation: Evaluation) -> Findings:
    """Returns the numbers of a report.

    Args:
        spec: spec of the evaluated model, with the localization settings that were used.
        videos: the videos on which the model was evaluated.
        evaluation: the result of the evaluation.
    """
    tiou_K = evaluation.detection.tiou_K
    shown_k = int(np.argmin(np.abs(np.array(tiou_K) - PREFERRED_TIOU)))
    truth = {video.id: video.instances for video in videos.videos}
    ranked = rank_detections(truth, evaluation.segments, tiou_K)
    labels_VC, scores_VC = videos.labels_VC(spec.labels), evaluation.class_scores_VC
    tags = _confusion(spec, videos, scores_VC)
    segments = sum(map(len, evaluation.segments.values()))
    top1_V1 = scores_VC.argmax(axis=1)[:, None]
    return Findings(
        evaluation=evaluation,
        shown_k=shown_k,
        classes=_class_figures(truth, ranked, evaluation, tags),
        unscored_classes=tuple(label for label in spec.labels if label not in ranked),
        unscored_segments=segments - sum(len(r.score_N) for r in ranked.values()),
        precision_recall=precision_recall(ranked),
        confusion=tags,
        diagnosis=diagnose(truth, ranked, tiou_K),
        segment_reliability=_segment_reliability(ranked, shown_k),
        tag_reliability=reliability(scores_VC.ravel(), labels_VC.ravel() > 0),
        top1_reliability=reliability(
            np.take_along_axis(scores_VC, top1_V1, axis=1)[:, 0],
            np.take_along_axis(labels_VC, top1_V1, axis=1)[:, 0] > 0,
        ),
        videos=tuple(video_scores(truth, ranked, shown_k)),
    )


def _confusion(spec: ModelSpec, videos: VideoSet, scores_VC: NDArray[np.float64]) -> Confusion:
    return confusion(
        scores_VC,
        videos.labels_VC(spec.labels),
        np.array([not video.labels for video in videos.videos]),
        labels=spec.labels,
        class_threshold=spec.localization.class_threshold,
    )


def _class_figures(
    truth: Videos,
    ranked: Mapping[str, RankedDetections],
    evaluation: Evaluation,
    tags: Confusion,
) -> tuple[ClassFigures, ...]:
    videos = Counter(label for here in truth.values() for label in {s.label for s in here})
    highest_C = evaluation.class_scores_VC.max(axis=0)
    tagging = dict(zip(tags.labels, zip(tags.ap_C, highest_C, strict=True), strict=True))
    unknown = np.full(2, np.nan)
    rows = []
    for (label, of_class), ap_K in zip(ranked.items(), evaluation.detection.ap_KC.T, strict=True):
        tagging_ap, highest_score = tagging.get(label, unknown)
        rows.append(
            ClassFigures(
                label,
                instances=of_class.instances,
                videos=videos[label],
                segments=len(of_class.score_N),
                ap_K=ap_K,
                tagging_ap=float(tagging_ap),
                highest_score=float(highest_score),
            )
        )
    return tuple(sorted(rows, key=lambda row: -float(row.ap_K.mean())))


def _segment_reliability(ranked: Mapping[str, RankedDetections], shown_k: int) -> Reliability:
    score_N = np.concatenate([of_class.score_N for of_class in ranked.values()])
    hit_N = np.concatenate([of_class.hit_KN[shown_k] for of_class in ranked.values()])
    return reliability(score_N, hit_N)
