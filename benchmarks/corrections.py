r"""mAP at tIoU 0.5 against the number of corrected training videos.

    python -m benchmarks.corrections fights/annotations.json fights.motion --name fights \
        --preset own-videos --counts 0,1,2,5,10,20,all --results docs/images/corrections.json

A corrected video has its annotated segments, another one has its tags alone. Videos are chosen at
random, or as `ecm suggest` lists them for the network that learned from tags. Networks are measured
on the validation videos. With `--videos`, they are measured on scenes of the training videos that
they have not seen, as by `ecm cross-validate`.

One file has the points of all data sets. A point that it has is not computed again, so a stopped
measurement continues, and `--seeds` can be raised. The figure is drawn beside it; without
annotations, it is drawn again and nothing is measured.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TypeAlias

import numpy as np
import torch
from matplotlib.figure import Figure

from training.checkpoint import Checkpoint
from training.configuration.execution import Execution
from training.configuration.presets import preset
from training.configuration.recipe import Recipe
from training.cross_validation.division import scenes_of, splits_by_scene
from training.cross_validation.folds import Split
from training.cross_validation.intervals import Interval, detection_intervals, resampled_counts
from training.datasets.layouts.native import read_native
from training.datasets.result_file import write_json
from training.datasets.video_record import VideoSet
from training.experiments.finding import RESOLUTION_DPI, table
from training.loop import finishing, trained
from training.measurement.evaluation import TorchEngine, predict
from training.measurement.suggestion import suggestions
from training.progress import step_bar

TIOU = 0.5
FOLDS, DIVISION = 5, 0
ALL = "all"
RULES = {"random": "at random", "uncertain": "by ecm suggest"}
Order: TypeAlias = Sequence[str]
"""Ids of the videos to correct, the first ones first."""


@dataclass(frozen=True, slots=True)
class Point:
    """A measurement of one network for each split."""

    data: str
    """Name of the data set."""
    rule: str
    """Choice of the videos, one of `RULES`."""
    corrected: str
    """Number of corrected videos, or `ALL`; the same for both rules at 0 and at `ALL`."""
    seed: int
    """Seed of the networks and of the random choice."""
    value: float
    """mAP."""
    low: float
    """Lower end of the interval over resamples of the videos."""
    high: float
    """Upper end."""
    suggested: Sequence[Order]
    """Videos that each network of tags alone suggests to correct; empty after corrections."""

    @property
    def key(self) -> tuple[str, str, str, int]:
        """Identity among the points."""
        return self.data, self.rule, self.corrected, self.seed


Points: TypeAlias = Mapping[tuple[str, str, str, int], Point]


def main() -> None:
    """Measures the points that are missing, and writes the table and the figure."""
    options = _options()
    torch.set_flush_denormal(True)
    points = _read(options.results)
    if options.annotations:
        splits, recipe = _splits(options), _recipe(options)
        for rule, corrected, seed in _missing(options, points):
            tags = points.get((options.name, "random", "0", seed))
            orders = _orders(splits, rule, seed, tags)
            chosen = [order[: _number(corrected)] for order in orders]
            point = _measured(splits, replace(recipe, seed=seed), chosen)
            point = replace(point, data=options.name, rule=rule, corrected=corrected)
            points[point.key] = point
            write_json(options.results, [asdict(one) for one in points.values()])
            print(*point.key, f"{100 * point.value:.1f}", flush=True)
    print(*(_table(name, points) for name in _names(points)), sep="\n")
    _drawn(points).savefig(options.results.with_suffix(".png"), dpi=RESOLUTION_DPI)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path, nargs="?")
    parser.add_argument("features", type=Path, nargs="?")
    parser.add_argument("--videos", type=Path)
    parser.add_argument("--name", default="corrected videos")
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--preset", default="own-data")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--counts", default="0,1,2,5,10,20,all")
    parser.add_argument("--seeds", type=int, default=1)
    return parser.parse_args()


def _read(path: Path) -> dict[tuple[str, str, str, int], Point]:
    rows = json.loads(path.read_bytes()) if path.is_file() else []
    return {point.key: point for point in (Point(**row) for row in rows)}


def _recipe(options: argparse.Namespace) -> Recipe:
    changes = dict(word.split("=") for word in options.set)
    return preset(options.preset).override({"calibration_folds": 0, **changes})


def _splits(options: argparse.Namespace) -> Sequence[Split]:
    videos = read_native(options.annotations, options.features)
    training = videos.subset("training")
    if options.videos is None:
        return [Split(training, videos.subset("validation"))]
    return splits_by_scene(training, scenes_of(training, options.videos, iter), FOLDS, DIVISION)


def _missing(options: argparse.Namespace, points: Points) -> Iterator[tuple[str, str, int]]:
    """Yields rule, number of corrected videos and seed of the points to measure."""
    for seed in range(options.seeds):
        for corrected in options.counts.split(","):
            for rule in ["random"] if corrected in ("0", ALL) else RULES:
                if (options.name, rule, corrected, seed) not in points:
                    yield rule, corrected, seed


def _number(corrected: str) -> int | None:
    return None if corrected == ALL else int(corrected)


def _orders(splits: Sequence[Split], rule: str, seed: int, tags: Point | None) -> Sequence[Order]:
    """Returns the videos to correct in each split, in order; one random order serves all splits."""
    if rule == "uncertain":
        if tags is None:
            raise SystemExit("--counts: expected 0 before other counts, because tags suggest")
        return tags.suggested
    tagged = [{v.id for v in split.learned.videos if v.labels} for split in splits]
    shuffled = np.random.default_rng(seed).permutation(sorted(set.union(*tagged))).tolist()
    return [[id_ for id_ in shuffled if id_ in own] for own in tagged]


def _measured(splits: Sequence[Split], recipe: Recipe, chosen: Sequence[Order]) -> Point:
    """Returns the figures of all held-out videos, without names."""
    truth, segments, suggested = {}, {}, []
    for fold, (split, corrected) in enumerate(zip(splits, chosen, strict=True)):
        videos = _with_times(split.learned, corrected)
        checkpoint = _trained(videos, recipe, uses_segments=bool(corrected))
        engine = TorchEngine(checkpoint.network())
        for video, result in predict(engine, checkpoint.spec, split.held_out.videos):
            name = f"{video.id}#{fold}"
            truth[name], segments[name] = video.instances, result.segments
        if not corrected:
            found = suggestions(engine, checkpoint.spec, videos.videos)
            suggested.append([one.video for one in found])
    count_RV = resampled_counts([name.rpartition("#")[0] for name in truth])
    one: Interval = detection_intervals(truth, segments, (TIOU,), count_RV)[0]
    return Point("", "", "", recipe.seed, one.value, one.low, one.high, suggested)


def _with_times(videos: VideoSet, corrected: Order) -> VideoSet:
    """Returns the videos, with the times of the corrected ones alone."""
    kept = set(corrected)
    records = (
        video if video.id in kept else replace(video, instances=()) for video in videos.videos
    )
    return replace(videos, videos=tuple(records))


def _trained(videos: VideoSet, recipe: Recipe, *, uses_segments: bool) -> Checkpoint:
    recipe = replace(recipe, segments="use" if uses_segments else "ignore")
    with step_bar(recipe, name="network", steps=None) as progress:
        last = trained(videos, recipe, execution=Execution(), progress=progress)
    return finishing(videos, recipe, Execution())(last)


def _names(points: Points) -> list[str]:
    return list(dict.fromkeys(point.data for point in points.values()))


def _curve(points: Points, data: str, rule: str) -> dict[str, list[Point]]:
    """Returns the points of each count, fewest first; both rules share the ends."""
    found: dict[str, list[Point]] = {}
    for point in points.values():
        if point.data == data and (point.rule == rule or point.corrected in ("0", ALL)):
            found.setdefault(point.corrected, []).append(point)
    return dict(sorted(found.items(), key=lambda item: _number(item[0]) or (item[0] == ALL) * 1e9))


def _means(own: Sequence[Point]) -> list[float]:
    """Returns the means of value, low and high over the seeds, in percent."""
    return [100 * x for x in np.mean([[p.value, p.low, p.high] for p in own], axis=0).tolist()]


def _table(data: str, points: Points) -> str:
    curves = {rule: _curve(points, data, rule) for rule in RULES}
    rows = [
        [count, *(_cell(curve[count]) if count in curve else "" for curve in curves.values())]
        for count in curves["random"]
    ]
    return f"{data}\n\n{table(['corrected', *RULES.values()], rows)}"


def _cell(own: Sequence[Point]) -> str:
    value, low, high = _means(own)
    single = ", ".join(f"{100 * point.value:.1f}" for point in own)
    return f"{value:.1f} ({low:.0f} to {high:.0f}): {single}"


def _drawn(points: Points) -> Figure:
    names = _names(points)
    figure = Figure(figsize=(4.6 * len(names), 3.6), layout="constrained")
    for axes, data in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for rule, marker in zip(RULES, "os", strict=True):
            curve = _curve(points, data, rule)
            value, low, high = zip(*(_means(own) for own in curve.values()), strict=True)
            places = range(len(curve))
            axes.plot(places, value, marker=marker, label=RULES[rule])
            axes.fill_between(places, low, high, alpha=0.15)
            axes.set_xticks(places, list(curve))
        axes.set(title=data, xlabel="corrected training videos", ylabel=f"mAP at tIoU {TIOU} (%)")
    handles, names_of_rules = axes.get_legend_handles_labels()
    figure.legend(handles, names_of_rules, loc="outside lower center", ncols=len(RULES))
    return figure


if __name__ == "__main__":
    main()
