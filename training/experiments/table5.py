"""Table 5: two separately trained networks, joined, compared with ECM.

`merge` runs NMS on the segments of both networks together. The weighted sum adds the class
activation sequences, with weight lambda for pre-classification and 1 - lambda for
post-classification, and localizes segments in the sum. The logits are first scaled to calibrated
probabilities (`ModelSpec.logit_scale`), because otherwise the network with the larger logits would
decide alone.

Axes: T snippets, D channels, C classes, R segments, K tIoU thresholds.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.localization.localize import LocalizationConfig
from model.localization.suppression import suppress
from model.predict import CasEngine
from model.segments import Segment
from model.spec import ModelSpec
from training.datasets.ambiguous import decided
from training.experiments.finding import Finding, published_cell, spread, table
from training.experiments.published import TABLE_5, THUMOS14_TIOU
from training.experiments.study import Study
from training.experiments.variants import TITLES
from training.measurement.evaluation import predict, why_nothing_counts
from training.measurement.metrics import DetectionScore, Videos, detection_score

PRESET = "thumos14"
LAMBDAS = (0.2, 0.4, 0.6, 0.8)


def run(study: Study) -> Finding:
    """Returns the paper's Table 5 with our numbers, and full ECM in the last row."""
    study.train("pre", "post", "full")
    scores: dict[str, list[DetectionScore]] = {}
    for seed in study.seeds:
        for name, score in _joined(study, seed).items():
            scores.setdefault(name, []).append(score)
    ours = {
        name: [(100 * score.map_K).tolist() for score in of_seeds]
        for name, of_seeds in scores.items()
    }
    rows = []
    for name, runs in ours.items():
        cells = [spread(column) for column in zip(*runs, strict=True)]
        rows.append([_title(name), "ours", *cells])
        if name in TABLE_5:
            rows.append(["", "paper", *map(published_cell, TABLE_5[name])])
    columns = [f"{tiou:g}" for tiou in THUMOS14_TIOU]
    return Finding(
        "Table 5: joining two networks",
        f"mAP in percent at each tIoU, last epoch. {study.description()}\n\n"
        + table(["", "", *columns], rows),
        {"tiou": THUMOS14_TIOU, "paper": TABLE_5, "ours": ours, "study": study.to_json()},
    )


def _title(name: str) -> str:
    if name == "merge":
        return "segments of both networks, merged"
    return TITLES.get(name, f"weighted sum, λ = {name}")


def _joined(study: Study, seed: int) -> dict[str, DetectionScore]:
    """Returns the scores of each network of one seed, and of each way to join two of them."""
    localization = study.recipe.localization
    networks = {}
    for variant in ("pre", "post", "full"):
        engine, spec = study.engine(variant, seed)
        networks[variant] = Calibrated(engine, spec.logit_scale)
    spec = replace(spec, logit_scale=1.0, localization=localization, sampling=study.recipe.sampling)
    pre, post = networks["pre"], networks["post"]
    segments = {
        name: _segments(study, f"{TITLES[name]}, seed {seed}, last epoch", engine, spec)
        for name, engine in (("pre", pre), ("post", post))
    }
    segments["merge"] = {
        id_: merge([*segments["pre"][id_], *segments["post"][id_]], localization)
        for id_ in segments["pre"]
    }
    for share in LAMBDAS:
        name = f"{share:g}"
        joined = WeightedSum(pre, post, share)
        segments[name] = _segments(study, f"{_title(name)}, seed {seed}", joined, spec)
    full = f"{TITLES['full']}, seed {seed}, last epoch"
    segments["full"] = _segments(study, full, networks["full"], spec)
    truth = {video.id: video.instances for video in study.test.videos}
    return {
        name: detection_score(truth, videos, THUMOS14_TIOU) for name, videos in segments.items()
    }


def _segments(study: Study, name: str, engine: CasEngine, spec: ModelSpec) -> Videos:
    """Returns the segments of all test videos; the study notes a network without any."""
    segments, scores_VC, found = {}, [], 0
    for video, result in predict(engine, spec, study.test.videos):
        found += len(result.segments)
        segments[video.id] = decided(result.segments, video.ambiguous)
        scores_VC.append(result.class_scores_C)
    if not any(segments.values()):
        study.silent[name] = why_nothing_counts(found, np.array(scores_VC), spec.localization)
    return segments


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A network whose logits are scaled to fit the training tags with their softmax."""

    engine: CasEngine
    """Engine that runs the network."""
    scale: float
    """Factor of the logits: `ModelSpec.logit_scale`."""

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the scaled class activation sequence, logits (T, C)."""
        return np.float32(self.scale) * self.engine.cas(features_TD)


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """Two networks as one: the weighted sum of their class activation sequences."""

    first: CasEngine
    """Engine of the first network."""
    second: CasEngine
    """Engine of the second network."""
    share: float
    """Weight of the first network (lambda); the second one has 1 - lambda."""

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the weighted sum of both class activation sequences, logits (T, C)."""
        first_TC, second_TC = self.first.cas(features_TD), self.second.cas(features_TD)
        return np.float32(self.share) * first_TC + np.float32(1 - self.share) * second_TC


def merge(segments: Sequence[Segment], config: LocalizationConfig) -> list[Segment]:
    """Returns the segments that remain after one NMS over all segments of a video, best first."""
    labels = sorted({segment.label for segment in segments})
    kept_R, score_R = suppress(
        np.array([segment.start_s for segment in segments]),
        np.array([segment.end_s for segment in segments]),
        np.array([segment.score for segment in segments]),
        group_R=np.array([labels.index(segment.label) for segment in segments], dtype=np.intp),
        nms=config.nms,
        iou=config.nms_iou,
        sigma=config.soft_nms_sigma,
        pixel_s=1.0 if config.protocol == "released" else 0.0,
    )
    return [
        segments[index]._replace(score=float(value))
        for index, value in zip(kept_R.tolist(), score_R, strict=True)
    ]
