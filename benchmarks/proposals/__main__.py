r"""A second stage that scores the proposals of a network of tags again and moves their edges.

    python -m benchmarks.proposals timelines/annotations.json timelines/features \
        --set epochs=25 learning_rate=5e-4 snippets=128 precision=bf16 --seeds 3 --runs runs/stages
    ecm simulate --out hard --difficulty 0.85 --seed 1
    python -m benchmarks.proposals hard/annotations.json hard/features --preset demo --seeds 3 \
        --runs runs/stages_hard

The network of each seed is trained once, in `--runs`. Its proposals are its segments before
suppression. Heads (head.py) learn from those of the training videos, with the known tags, and are
measured on the validation videos. With `--within`, two thirds of the training videos teach and the
others measure; choices are made by this. The tables are printed after each seed.

Axes: N proposals.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from benchmarks.proposals.head import HeadConfig, Reading, read, taught_head, teacher_instances
from benchmarks.proposals.pools import Pool, pools_of
from benchmarks.proposals.results import Results, Scored, precision, rank_correlation, recall
from model.spec import ModelSpec
from training.configuration.presets import preset
from training.configuration.recipe import Recipe
from training.cross_validation.intervals import resampled_counts
from training.datasets.layouts.native import read_native
from training.datasets.video_record import VideoSet
from training.loop import fit

STAGE_ONE = "network of tags"
CENTRED = ("centred", "contrast", "profile")
HEADS = {
    "published": HeadConfig(("inside", "contrast")),
    "contrast": HeadConfig(("contrast",)),
    "hidden": HeadConfig(("hidden",)),
    "profile": HeadConfig(("profile",)),
    "centred": HeadConfig(CENTRED),
    "average": HeadConfig(CENTRED, teacher="average"),
    "truth": HeadConfig(CENTRED, teacher="truth"),
}
"""Heads by name; the last one learns from the true times and is a ceiling."""


def main() -> None:
    """Prints the figures of all heads."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("annotations", type=Path)
    parser.add_argument("features", type=Path)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--preset", default="own-data")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    parser.add_argument("--heads", nargs="*", default=list(HEADS), choices=list(HEADS))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--resamples", type=int, default=100)
    parser.add_argument("--within", action="store_true")
    options = parser.parse_args()
    torch.set_flush_denormal(True)
    learned, measured = divided(
        read_native(options.annotations, options.features), within=options.within
    )
    results = Results(resampled_counts(measured.ids)[: 1 + options.resamples])
    changes = dict(word.split("=") for word in options.set)
    for seed in range(options.seeds):
        changes |= {"calibration_folds": 0, "seed": seed}
        run = options.runs / f"{'within' if options.within else 'all'}-{seed}"
        recipe = preset(options.preset).override(changes)
        measure(learned, measured, recipe, run, options.heads, results)
        print(f"seeds 0 to {seed}\n\n{results.text()}", flush=True)


def divided(videos: VideoSet, *, within: bool) -> tuple[VideoSet, VideoSet]:
    """Returns the videos to learn from and those to measure on."""
    training = videos.subset("training")
    if not within:
        return training, videos.subset("validation")
    third_V = np.random.default_rng(0).permutation(len(training.videos)) % 3
    pairs = list(zip(training.videos, third_V, strict=True))
    learned = tuple(video for video, third in pairs if third)
    return replace(training, videos=learned), replace(
        training, videos=tuple(video for video, third in pairs if not third)
    )


def measure(
    learned: VideoSet,
    measured: VideoSet,
    recipe: Recipe,
    run: Path,
    heads: Sequence[str],
    results: Results,
) -> None:
    """Adds the figures of one seed."""
    checkpoint = fit(learned, None, recipe, run)
    network, spec = checkpoint.network(), checkpoint.spec
    taught = pools_of(network, spec, learned, knows_tags=True)
    pools = pools_of(network, spec, measured, knows_tags=False)
    _add_ends(taught, pools, spec, results)
    for name in heads:
        head = taught_head(taught, spec.labels, HEADS[name], recipe.seed)
        readings = [read(head, pool, HEADS[name]) for pool in pools]
        for row, scored in _scored(pools, readings):
            results.add(f"{name}: {row}", pools, spec, scored)
        tiou_N = np.concatenate([one.tiou_N for one in readings])
        results.add_fact(f"rank correlation, {name}", rank_correlation(tiou_N, pools))


def _scored(pools: Sequence[Pool], readings: Sequence[Reading]) -> Iterator[tuple[str, Scored]]:
    """Yields the published score with and without moved edges, and the tIoU without the rest."""
    pairs = list(zip(pools, readings, strict=True))
    product = [
        one.class_score_N * one.attention_N * one.tiou_N + 0.2 * pool.video_score_N
        for pool, one in pairs
    ]
    tiou = [one.tiou_N + 0.2 * pool.video_score_N for pool, one in pairs]
    moved = [one.times_N2 for one in readings]
    yield "product", list(zip(product, (pool.times_N2 for pool in pools), strict=True))
    yield "product, edges moved", list(zip(product, moved, strict=True))
    yield "tIoU, edges moved", list(zip(tiou, moved, strict=True))


def _add_ends(
    taught: Sequence[Pool], pools: Sequence[Pool], spec: ModelSpec, results: Results
) -> None:
    """Adds the rows without a head, and the quality of proposals and of what heads learn from."""
    results.add(STAGE_ONE, pools, spec, [(pool.score_N, pool.times_N2) for pool in pools])
    true = [(pool.nearest(pool.instances)[0], pool.times_N2) for pool in pools]
    results.add("scored by their true tIoU", pools, spec, true)
    for tiou in (0.5, 0.7):
        results.add_fact(f"instances with a proposal of tIoU {tiou}", recall(pools, tiou))
    own = [teacher_instances(pool, HEADS["published"]) for pool in taught]
    results.add_fact("own instances of tIoU 0.5", precision(taught, own, 0.5))
    counts = [
        sum(len(one.class_I) for one in ones) for ones in (own, [p.instances for p in taught])
    ]
    results.add_fact("own instances over true ones", counts[0] / counts[1])
    score_N = np.concatenate([pool.score_N for pool in pools])
    results.add_fact(f"rank correlation, {STAGE_ONE}", rank_correlation(score_N, pools))


if __name__ == "__main__":
    main()
