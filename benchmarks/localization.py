"""Time from a class activation sequence to segments, compared with plain loops.

    python benchmarks/localization.py

Sequences are smooth bumps on noise, in three of the classes. The plain loops are the released
post-processing as published: one class, one threshold and one proposal after the other. All times
are medians of one run of this program. Each form runs on its own, with its data in the caches of
the CPU, where the network has left the sequence as well.
"""

import argparse
from functools import partial

import numpy as np
from record import Record, add_json_option
from timing import median_s

from model.localization.localize import LocalizationConfig, class_scores, localize, normalise
from model.snippets import SNIPPET_FRAMES, resample

PRESENT = 3
"""Number of classes that are present in a sequence."""
RELEASED = LocalizationConfig(
    protocol="released", cas_threshold_min=0.01, cas_threshold_max=0.2, cas_threshold_step=0.025,
    nms="greedy",
)  # fmt: skip
LOOPS = "released, plain loops"
MODES = {
    "default (corrected, fast-soft)": LocalizationConfig(),
    "corrected, soft": LocalizationConfig(nms="soft"),
    "corrected, greedy": LocalizationConfig(nms="greedy", nms_iou=0.2),
    "released": RELEASED,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--repeats", type=int, default=15, help="timed runs, of which the median counts"
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    record = Record("From a class activation sequence to segments", [LOOPS])
    for snippets in (750, 5000):
        for classes in (20, 200):
            cas_TC = draw(snippets, classes)
            works = {LOOPS: partial(released_by_loops, cas_TC)}
            works |= {name: partial(by_arrays, cas_TC, config) for name, config in MODES.items()}
            for form, work in works.items():
                time_s = median_s(work, 3 if form == LOOPS else arguments.repeats)
                record.add(f"{snippets} snippets, {classes} classes", form, {"ms": 1e3 * time_s})
    record.finish(arguments.json)


def draw(snippets: int, classes: int) -> np.ndarray:
    """Returns logits (T, C): noise, and in the first classes an instance every 60 snippets."""
    rng = np.random.default_rng(0)
    cas_TC = 0.3 * rng.standard_normal((snippets + 2, classes))
    for class_ in range(PRESENT):
        for _ in range(snippets // 60):
            start, length = rng.integers(snippets - 30), rng.integers(4, 30)
            bump = rng.uniform(2, 6) * np.hanning(length + 2)[1:-1]
            cas_TC[start : start + length, class_] += bump
    smooth_TC = (cas_TC[:-2] + cas_TC[1:-1] + cas_TC[2:]) / 3
    return smooth_TC.astype(np.float32)


def scores(classes: int) -> np.ndarray:
    return np.where(np.arange(classes) < PRESENT, 1 / PRESENT, 0)


def by_arrays(cas_TC: np.ndarray, config: LocalizationConfig) -> object:
    snippets, classes = cas_TC.shape
    class_scores(cas_TC, 0.125)
    labels = [str(index) for index in range(classes)]
    duration_s = snippets * 0.64
    return localize(cas_TC, scores(classes), labels=labels, duration_s=duration_s, config=config)


def released_by_loops(cas_TC: np.ndarray) -> list[tuple[float, ...]]:
    """Returns the segments of the released procedure, computed one step after the other."""
    kept = []
    class_scores(cas_TC, 0.125)
    points_NC = resample(normalise(cas_TC), len(cas_TC) * SNIPPET_FRAMES)
    for class_ in range(PRESENT):
        proposals = []
        for threshold in RELEASED.cas_thresholds_K:
            values = np.where(points_NC[:, class_] < threshold, 0, points_NC[:, class_])
            places = np.flatnonzero(values > 0)
            runs = np.split(places, np.flatnonzero(np.diff(places) != 1) + 1)
            proposals += [propose(values, run, 1 / PRESENT) for run in runs if len(run)]
        kept += greedy(proposals)
    return kept


def propose(values: np.ndarray, run: np.ndarray, class_score: float) -> tuple[float, float, float]:
    first, last, length = run[0], run[-1], len(run)
    margin = RELEASED.outer_ratio * length
    outside = np.concatenate(
        [
            values[max(0, int(first - margin)) : first],
            values[last + 1 : min(len(values), int(last + margin))],
        ]
    )
    contrast = values[run].mean() - (outside.mean() if len(outside) else 0)
    second = 0.64 / SNIPPET_FRAMES
    return first * second, (last + 1) * second, contrast + 0.15 * class_score


def greedy(proposals: list[tuple[float, float, float]]) -> list[tuple[float, ...]]:
    left = np.array(sorted(proposals, key=lambda proposal: -proposal[2]))
    kept = []
    while len(left):
        best, left = left[0], left[1:]
        kept.append(tuple(best))
        overlap = np.minimum(best[1], left[:, 1]) - np.maximum(best[0], left[:, 0]) + 1
        overlap = np.maximum(overlap, 0)
        lengths = (best[1] - best[0] + 1) + (left[:, 1] - left[:, 0] + 1)
        left = left[overlap / (lengths - overlap) < RELEASED.nms_iou]
    return kept


if __name__ == "__main__":
    main()
