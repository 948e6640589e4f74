"""Everything that a report says in numbers.

Axes: K tIoU thresholds, C classes.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.spec import ModelSpec
from training.datasets.video_record import VideoSet
from training.evaluation import Evaluation
from training.metrics import RankedDetections, Videos, rank_detections
from training.report.diagnosis import Diagnosis, diagnose
from training.report.precision_recall import PrecisionRecall, precision_recall
from training.report.reliability import Reliability, reliability
from training.report.tagging import Confusion, confusion
from training.report.video_scores import VideoScore, video_scores

CLOSE_UP_TIOU = 0.5
"""What is shown at one threshold is shown at the evaluated one that is nearest to this."""


@dataclass(frozen=True, slots=True)
class ClassFigures:
    """How well one class is localized and told."""

    label: str
    """The class."""
    instances: int
    """Its instances."""
    videos: int
    """Videos with one."""
    segments: int
    """Predicted segments."""
    ap_K: NDArray[np.float64]
    """Average precision at each threshold."""
    tagging_ap: float
    """Average precision of its video-level scores; NaN where the model does not know it."""


@dataclass(frozen=True, slots=True)
class Findings:
    """All numbers of a report."""

    evaluation: Evaluation
    """The figures that stand on top."""
    close_up: int
    """Place of the threshold at which what has room for one is shown."""
    classes: tuple[ClassFigures, ...]
    """The classes of the ground truth, best first."""
    unjudged_classes: tuple[str, ...]
    """Classes of the model without an instance here."""
    unjudged_segments: int
    """Predicted segments of them; the metric leaves them out, and so does all that follows."""
    precision_recall: PrecisionRecall
    """Curves of all classes."""
    confusion: Confusion
    """What the video-level scores mix up."""
    diagnosis: Diagnosis
    """Which errors the segments have."""
    segment_reliability: Reliability
    """Segment scores against hits at the threshold."""
    tag_reliability: Reliability
    """Scores of every class in every video against its labels."""
    first_reliability: Reliability
    """The same for the highest score of each video alone."""
    videos: tuple[VideoScore, ...]
    """Videos with instances, best first."""

    @property
    def tiou(self) -> float:
        """The threshold at which what has room for one is shown."""
        return self.evaluation.detection.tiou_K[self.close_up]


def find(spec: ModelSpec, videos: VideoSet, evaluation: Evaluation) -> Findings:
    """Returns the numbers of a report.

    Args:
        spec: of the model that was evaluated, with the localization that was used.
        videos: what it was evaluated on.
        evaluation: what came of that.
    """
    tiou_K = evaluation.detection.tiou_K
    close_up = int(np.argmin(np.abs(np.array(tiou_K) - CLOSE_UP_TIOU)))
    truth = {video.id: video.instances for video in videos.videos}
    ranked = rank_detections(truth, evaluation.segments, tiou_K)
    labels_VC, scores_VC = videos.labels_VC(spec.labels), evaluation.class_scores_VC
    tags = _confusion(spec, videos, scores_VC)
    segments = sum(map(len, evaluation.segments.values()))
    first_V = scores_VC.argmax(axis=1)[:, None]
    return Findings(
        evaluation=evaluation,
        close_up=close_up,
        classes=_class_figures(truth, ranked, evaluation, tags),
        unjudged_classes=tuple(label for label in spec.labels if label not in ranked),
        unjudged_segments=segments - sum(len(found.score_N) for found in ranked.values()),
        precision_recall=precision_recall(ranked),
        confusion=tags,
        diagnosis=diagnose(truth, ranked, tiou_K),
        segment_reliability=_segment_reliability(ranked, close_up),
        tag_reliability=reliability(scores_VC.ravel(), labels_VC.ravel() > 0),
        first_reliability=reliability(
            np.take_along_axis(scores_VC, first_V, axis=1)[:, 0],
            np.take_along_axis(labels_VC, first_V, axis=1)[:, 0] > 0,
        ),
        videos=tuple(video_scores(truth, ranked, close_up)),
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
    tagging_ap = dict(zip(tags.labels, tags.ap_C.tolist(), strict=True))
    ap_CK = evaluation.detection.ap_KC.T
    rows = [
        ClassFigures(
            label,
            instances=found.instances,
            videos=videos[label],
            segments=len(found.score_N),
            ap_K=ap_K,
            tagging_ap=tagging_ap.get(label, float("nan")),
        )
        for (label, found), ap_K in zip(ranked.items(), ap_CK, strict=True)
    ]
    return tuple(sorted(rows, key=lambda row: -float(row.ap_K.mean())))


def _segment_reliability(ranked: Mapping[str, RankedDetections], close_up: int) -> Reliability:
    score_N = np.concatenate([found.score_N for found in ranked.values()])
    hit_N = np.concatenate([found.hit_KN[close_up] for found in ranked.values()])
    return reliability(score_N, hit_N)
