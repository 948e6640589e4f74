"""Calibrated class scores of held-out videos: log loss, Brier score and reliability.

    ecm fit --data timelines --preset own-data --out runs/one
    python -m benchmarks.calibration timelines runs/one

Each figure is that of the validation videos without the curve of the checkpoint and with it, with
the interval of 95 % of the resamples of the videos for the difference. Below are pairs of a video
and a class by their score: how many there are, their mean score, and the share with the tag.

Axes: V videos, C classes, R resamples.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.errors import DataError
from training.checkpoint import Checkpoint, find_checkpoint, load_checkpoint
from training.cross_validation.curves import pair_brier_score, pair_log_loss
from training.cross_validation.intervals import interval_of, resampled_counts
from training.datasets.opening import open_data
from training.datasets.video_record import VideoSet
from training.measurement.evaluation import TorchEngine, predict_tags
from training.report.reliability import reliability


def main() -> None:
    """Prints the figures of each checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("checkpoints", type=Path, nargs="+")
    options = parser.parse_args()
    videos = open_data(options.data).subset("validation")
    for path in options.checkpoints:
        print(f"{path}:\n{figures(load_checkpoint(find_checkpoint(path)), videos)}")


def figures(checkpoint: Checkpoint, videos: VideoSet) -> str:
    """Returns the lines about one checkpoint.

    Raises:
        DataError: The checkpoint has no curve.
    """
    spec = checkpoint.spec
    curve = spec.calibration.curve if spec.calibration else None
    if curve is None:
        raise DataError("expected a checkpoint with a curve, got one without; see ecm fit --help")
    engine = TorchEngine(checkpoint.network().eval())
    raw_VC = predict_tags(engine, replace(spec, calibration=None), videos.videos)
    tag_VC = np.array([[label in video.labels for label in spec.labels] for video in videos.videos])
    calibrated_VC = np.array([curve(raw_C) for raw_C in raw_VC])
    lines = [
        f"{name}: {difference(loss(raw_VC, tag_VC), loss(calibrated_VC, tag_VC), videos)}"
        for name, loss in (("log loss", pair_log_loss), ("Brier score", pair_brier_score))
    ]
    for name, score_VC in (("before", raw_VC), ("after", calibrated_VC)):
        bins = reliability(score_VC.ravel(), tag_VC.ravel())
        columns = zip(bins.count_B, bins.score_B, bins.hit_share_B, strict=True)
        parts = [f"{count} at {score:.2f}: {share:.2f}" for count, score, share in columns if count]
        lines.append(f"{name}: {', '.join(parts)}")
    return "\n".join(lines)


def difference(
    before_VC: NDArray[np.float64], after_VC: NDArray[np.float64], videos: VideoSet
) -> str:
    """Returns the mean before and after, and the interval of their difference."""
    before_V, after_V = before_VC.mean(axis=1), after_VC.mean(axis=1)
    count_RV = resampled_counts([video.id for video in videos.videos])
    gain = interval_of(count_RV @ (after_V - before_V) / len(before_V))
    means = f"{before_V.mean():.4f} -> {after_V.mean():.4f}"
    return f"{means}, difference {gain.low:.4f} to {gain.high:.4f}"


if __name__ == "__main__":
    main()
