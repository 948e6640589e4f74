r"""mAP at tIoU 0.5 on validation videos, against the number of corrected training videos.

    python -m benchmarks.corrections --out runs/corrections --preset own-videos \
        --annotations fights/annotations.json --features fights.motion --counts 0,1,2,5,10,20,all

A corrected video has its annotated segments, another one has its tags alone. Videos are chosen at
random, or as `ecm suggest` lists them for the network that learned from tags. Points that are done
are not computed again, so a stopped measurement goes on, and `--seeds` can be raised.

Intervals are those of 95 % of the resamples of the validation videos, mean over the seeds.

Axes: R resamples, V validation videos.
"""

import argparse
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure

from training.checkpoint import Checkpoint
from training.cross_validation.intervals import Interval, detection_intervals, resampled_counts
from training.datasets.layouts.native import read_native
from training.datasets.result_file import read_detections, write_detections
from training.datasets.video_record import VideoSet
from training.experiments.finding import Finding, table
from training.loop import fit
from training.measurement.evaluation import TorchEngine, evaluate
from training.measurement.suggestion import suggestions
from training.presets import preset
from training.recipe import Recipe

TIOU = 0.5
RULES = {"random": "at random", "uncertain": "by ecm suggest"}
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Measurement:
    """Data and recipe of all points."""

    training: VideoSet
    """Training videos with all of their segments."""
    validation: VideoSet
    """Videos to measure on."""
    recipe: Recipe
    """Recipe of tags alone; its seed does not count."""
    out: Path
    """Folder of the points."""

    @property
    def correctable(self) -> list[str]:
        """Ids of the training videos with a tag."""
        return [video.id for video in self.training.videos if video.labels]

    def point(self, rule: str, count: int, seed: int) -> Path:
        """Returns the file with the segments that a network finds, which is trained if missing."""
        name = f"{rule}_{count}" if count else "tags"
        folder = self.out / f"seed_{seed}" / name
        path = folder / "predictions.json"
        if not path.is_file():
            checkpoint = self._trained(self._chosen(rule, count, seed), seed, folder)
            engine = TorchEngine(checkpoint.network())
            result = evaluate(engine, checkpoint.spec, self.validation, (TIOU,))
            write_detections(path, result.segments, version=checkpoint.spec.provenance.software)
            _log.warning("seed %d, %s: %.1f", seed, name, 100 * result.detection.average)
        return path

    def _trained(self, corrected: Sequence[str], seed: int, folder: Path) -> Checkpoint:
        videos = tuple(
            video if video.id in corrected else replace(video, instances=())
            for video in self.training.videos
        )
        recipe = replace(self.recipe, seed=seed, segments="use" if corrected else "ignore")
        return fit(replace(self.training, videos=videos), None, recipe, folder)

    def _chosen(self, rule: str, count: int, seed: int) -> Sequence[str]:
        """Returns the ids of the videos to correct."""
        if rule == "random" or count in (0, len(self.correctable)):
            return np.random.default_rng(seed).permutation(self.correctable)[:count].tolist()
        tags = self._trained((), seed, self.out / f"seed_{seed}" / "tags")
        timeless = [replace(video, instances=()) for video in self.training.videos]
        found = suggestions(TorchEngine(tags.network()), tags.spec, timeless)
        return [one.video for one in found[:count]]

    def interval(self, rule: str, count: int, seeds: Sequence[int]) -> Interval:
        """Returns the mean over some seeds of mAP and of both ends of its interval."""
        truth = {video.id: video.instances for video in self.validation.videos}
        count_RV = resampled_counts(list(truth))
        of_seeds = []
        for seed in seeds:
            segments = read_detections(self.point(rule, count, seed))
            (one, _) = detection_intervals(truth, segments, (TIOU,), count_RV)
            of_seeds.append([one.value, one.low, one.high])
        return Interval(*np.mean(of_seeds, axis=0).tolist())


def main() -> None:
    """Measures all points, and writes a table and a figure into the folder."""
    options = _options()
    torch.set_flush_denormal(True)
    videos = read_native(options.annotations, options.features)
    recipe = preset(options.preset).override(dict(word.split("=") for word in options.set))
    measured = Measurement(
        videos.subset("training"), videos.subset("validation"), recipe, options.out
    )
    every = len(measured.correctable)
    counts = [every if word == "all" else int(word) for word in options.counts.split(",")]
    seeds = range(options.seeds)
    for seed in seeds:
        for count in counts:
            for rule in RULES if 0 < count < every else ["random"]:
                measured.point(rule, count, seed)
    curves = {
        rule: {
            count: measured.interval(rule if 0 < count < every else "random", count, seeds)
            for count in counts
        }
        for rule in RULES
    }
    for path in _finding(options.title, curves, len(seeds), every).write(
        options.out, "corrections"
    ):
        print(f"written: {path}")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--annotations", type=Path, required=True)
    parser.add_argument("--features", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--preset", default="own-data")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--counts", default="0,1,2,5,10,20,all")
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--title", default="Corrected videos")
    return parser.parse_args()


def _finding(
    title: str, curves: Mapping[str, Mapping[int, Interval]], seeds: int, every: int
) -> Finding:
    counts = list(curves["random"])
    rows = [
        [str(count) if count < every else f"all {every}", *(_cell(curves[r][count]) for r in RULES)]
        for count in counts
    ]
    text = (
        f"mAP at tIoU {TIOU} in percent, mean over the seeds 0 to {seeds - 1}, with the interval "
        "of 95 % of the resamples of the validation videos.\n\n"
        + table(["corrected", *RULES.values()], rows)
    )
    data: dict[str, Any] = {
        rule: {str(count): [one.value, one.low, one.high] for count, one in curve.items()}
        for rule, curve in curves.items()
    }
    return Finding(title, text, data, {"": _drawn(title, curves)})


def _cell(one: Interval) -> str:
    return f"{100 * one.value:.1f} ({100 * one.low:.0f} to {100 * one.high:.0f})"


def _drawn(title: str, curves: Mapping[str, Mapping[int, Interval]]) -> Figure:
    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.subplots()
    for (rule, curve), marker in zip(curves.items(), "os", strict=True):
        places = range(len(curve))
        axes.plot(places, [100 * one.value for one in curve.values()], marker=marker,
                  label=RULES[rule])  # fmt: skip
        axes.fill_between(places, [100 * one.low for one in curve.values()],
                          [100 * one.high for one in curve.values()], alpha=0.15)  # fmt: skip
    axes.set_xticks(range(len(curves["random"])), [str(count) for count in curves["random"]])
    axes.set(title=title, xlabel="corrected training videos", ylabel=f"mAP at tIoU {TIOU} (%)")
    axes.legend()
    return figure


if __name__ == "__main__":
    main()
