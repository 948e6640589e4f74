"""joining two separately trained networks, against ECM.

`merge` pools the segments of both and runs NMS over them. The weighted sum adds the class
activation sequences, lambda to pre-classification, and reads segments off the result; the logits
are scaled first so that both speak of probabilities (`ModelSpec.logit_scale`), without which the
sum would be of one network alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.localize import LocalizationConfig
from model.predict import CasEngine
from model.segments import Segment
from model.spec import ModelSpec
from model.suppression import suppress
from training.evaluation import predict
from training.experiments.finding import Finding, printed, spread, table
from training.experiments.published import TABLE_5, THUMOS14_TIOU
from training.experiments.study import Study
from training.experiments.variants import TITLES
from training.metrics import DetectionScore, Videos, detection_score

PRESET = "thumos14"
LAMBDAS = (0.2, 0.4, 0.6, 0.8)


def run(study: Study) -> Finding:
    """Returns the paper's Table 5 with our numbers, and full ECM's below."""
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
            rows.append(["", "paper", *map(printed, TABLE_5[name])])
    columns = [f"{tiou:g}" for tiou in THUMOS14_TIOU]
    return Finding(
        "Table 5: joining two networks",
        f"mAP in percent at each tIoU, last epoch. {study.circumstances()}\n\n"
        + table(["", "", *columns], rows),
        {"tiou": THUMOS14_TIOU, "paper": TABLE_5, "ours": ours, "study": study.described()},
    )


def _title(name: str) -> str:
    if name == "merge":
        return "segments of both, merged"
    return TITLES.get(name, f"weighted sum, λ = {name}")


def _joined(study: Study, seed: int) -> dict[str, DetectionScore]:
    """Returns the score of each network of a seed alone and of each way to join two of them."""
    reading = study.recipe.localization
    networks = {}
    for variant in ("pre", "post", "full"):
        engine, spec = study.engine(variant, seed)
        networks[variant] = Calibrated(engine, spec.logit_scale)
    spec = replace(spec, logit_scale=1.0, localization=reading, sampling=study.recipe.sampling)
    pre, post = networks["pre"], networks["post"]
    alone = {name: _segments(study, engine, spec) for name, engine in networks.items()}
    found = {"pre": alone["pre"], "post": alone["post"]}
    found["merge"] = {
        id_: merge([*found["pre"][id_], *found["post"][id_]], reading) for id_ in found["pre"]
    }
    for share in LAMBDAS:
        found[f"{share:g}"] = _segments(study, WeightedSum(pre, post, share), spec)
    truth = {video.id: video.instances for video in study.test.videos}
    found["full"] = alone["full"]
    return {name: detection_score(truth, videos, THUMOS14_TIOU) for name, videos in found.items()}


def _segments(study: Study, engine: CasEngine, spec: ModelSpec) -> Videos:
    results = predict(engine, spec, study.test.videos)
    return {video.id: result.segments for video, result in results}


@dataclass(frozen=True, slots=True)
class Calibrated:
    """A network whose logits are scaled so that their softmax fits the training tags."""

    engine: CasEngine
    """The network."""
    scale: float
    """Its `ModelSpec.logit_scale`."""

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the scaled class activation sequence, logits (T, C)."""
        return np.float32(self.scale) * self.engine.cas(features_TD)


@dataclass(frozen=True, slots=True)
class WeightedSum:
    """Two networks as one: the weighted sum of their class activation sequences."""

    first: CasEngine
    """One network."""
    second: CasEngine
    """The other."""
    share: float
    """Weight of the first (lambda); the second has the rest."""

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the joined class activation sequence, logits (T, C)."""
        first_TC, second_TC = self.first.cas(features_TD), self.second.cas(features_TD)
        return np.float32(self.share) * first_TC + np.float32(1 - self.share) * second_TC


def merge(segments: Sequence[Segment], config: LocalizationConfig) -> list[Segment]:
    """Returns the segments of several results of one video after one NMS over all, best first."""
    labels = sorted({segment.label for segment in segments})
    kept, score = suppress(
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
        for index, value in zip(kept.tolist(), score, strict=True)
    ]
