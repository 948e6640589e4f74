"""Figures of scored proposals, over seeds and resamples of the videos.

Axes: S seeds, R resamples, K tIoU thresholds, N proposals, M own instances, I true instances.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import spearmanr

from benchmarks.proposals.pools import Floats, Instances, Pool, tiou_matrix
from model.spec import ModelSpec
from training.cross_validation.intervals import interval_of, resampled_map
from training.experiments.finding import spread, table
from training.measurement.metrics import tiou_range

TIOU_K = tiou_range("0.1:0.7:0.1")
SHOWN_K = [2, 4, 6]
"""Thresholds of the table: 0.3, 0.5 and 0.7."""
Scored: TypeAlias = Sequence[tuple[Floats, Floats]]
"""Scores and times of the proposals of each video."""


@dataclass(frozen=True, slots=True)
class Results:
    """Figures of all rows; the first row is what the others are compared with."""

    count_RV: NDArray[np.intp]
    """Number of times that each measured video is in each resample, all once in the first."""
    map_SRK: dict[str, list[Floats]] = field(default_factory=dict)
    """mAP of each row, for each seed."""
    facts: dict[str, list[float]] = field(default_factory=dict)
    """Further figures by name, in percent, for each seed."""

    def add(self, row: str, pools: Sequence[Pool], spec: ModelSpec, scored: Scored) -> None:
        """Measures the proposals with these scores and times, and prints mAP and its mean."""
        truth = {pool.video.id: pool.video.instances for pool in pools}
        found = {
            pool.video.id: pool.segments(score_N, times_N2, spec)
            for pool, (score_N, times_N2) in zip(pools, scored, strict=True)
        }
        map_RK = resampled_map(truth, found, TIOU_K, self.count_RV)
        self.map_SRK.setdefault(row, []).append(map_RK)
        print(row, *(f"{100 * value:.1f}" for value in [*map_RK[0], map_RK[0].mean()]), flush=True)

    def add_fact(self, name: str, value: float) -> None:
        """Keeps a further figure."""
        self.facts.setdefault(name, []).append(100 * value)

    def text(self) -> str:
        """Returns the tables of mAP and of the further figures."""
        average_R = {name: self._average_R(name) for name in self.map_SRK}
        base_R = next(iter(average_R.values()))
        rows = []
        for name, of_seeds in self.map_SRK.items():
            value_SK = 100 * np.array([map_RK[0] for map_RK in of_seeds])
            shown = [spread(value_SK[:, k].tolist()) for k in SHOWN_K]
            average = spread(value_SK.mean(axis=1).tolist())
            rows.append([name, *shown, average, _difference(average_R[name] - base_R)])
        columns = ["", *(f"{TIOU_K[k]:g}" for k in SHOWN_K), "average 0.1:0.7", "difference"]
        facts = [[name, spread(values)] for name, values in self.facts.items()]
        return f"{table(columns, rows)}\n{table(['', '%'], facts)}"

    def _average_R(self, row: str) -> Floats:
        """Returns the average mAP of each resample in percent, mean over the seeds."""
        return np.mean([100 * map_RK.mean(axis=1) for map_RK in self.map_SRK[row]], axis=0)


def _difference(difference_R: Floats) -> str:
    if len(difference_R) == 1:
        return f"{difference_R[0]:+.1f}"
    return interval_of(difference_R).signed


def recall(pools: Sequence[Pool], tiou: float) -> float:
    """Returns the share of the true instances that a proposal of their class reaches."""
    best = [
        tiou_matrix(Instances(pool.class_N, pool.times_N2), pool.instances).max(axis=0, initial=0)
        for pool in pools
    ]
    return float((np.concatenate(best) >= tiou).mean())


def precision(pools: Sequence[Pool], own: Sequence[Instances], tiou: float) -> float:
    """Returns the share of a network's own instances that reach a true one."""
    best = [
        tiou_matrix(instances, pool.instances).max(axis=1, initial=0)
        for pool, instances in zip(pools, own, strict=True)
    ]
    return float((np.concatenate(best) >= tiou).mean())


def rank_correlation(score_N: Floats, pools: Sequence[Pool]) -> float:
    """Returns Spearman's correlation of scores of all proposals with their true tIoU."""
    tiou_N = np.concatenate([pool.nearest(pool.instances)[0] for pool in pools])
    return float(spearmanr(score_N, tiou_N).statistic)
