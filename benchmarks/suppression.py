r"""Kinds of suppression on segments that a network found and that nobody suppressed.

    python -m benchmarks.suppression thumos14/gt.json thumos14/proposals_training.json

Videos are divided into halves many times. A setting is chosen by one half and measured on the
other, so that nothing is chosen on the videos on which it is reported. Each setting also has its
difference from the default, with the interval of 95 % of the resamples of the videos. Last comes
the analysis of the errors that remain with the default.

Axes: S settings, H halves, R resamples, V videos, N segments, K tIoU thresholds.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.localization.localize import LocalizationConfig
from model.localization.suppression import suppress
from model.segments import Segment
from training.cross_validation.intervals import interval_of, resampled_counts, resampled_map
from training.datasets.annotations import read_annotations
from training.datasets.result_file import read_detections
from training.experiments.finding import table
from training.measurement.metrics import Videos, rank_detections, tiou_range
from training.report.diagnosis import Outcome, diagnose

TIOU_K = tiou_range("0.1:0.7:0.1")
SHOWN_K = [2, 4, 6]
"""Thresholds of the table: 0.3, 0.5 and 0.7."""
DEFAULT = LocalizationConfig()
DIVISIONS = 10
RESAMPLES = 200
"""Number of resamples; one takes 20 ms with 30,000 segments."""


@dataclass(frozen=True, slots=True)
class Setting:
    """A kind of suppression."""

    name: str
    """Name in the table."""
    config: LocalizationConfig
    """Settings, of which those of suppression count."""

    def applied(self, segments: Sequence[Segment]) -> list[Segment]:
        """Returns what is left of the segments of a video."""
        if not segments:
            return []
        label_N, start_N, end_N, score_N = (
            np.array([getattr(one, name) for one in segments])
            for name in ("label", "start_s", "end_s", "score")
        )
        group_N = np.unique(label_N, return_inverse=True)[1]
        kept, kept_score = suppress(
            start_N, end_N, score_N, group_R=group_N, nms=self.config.nms,
            iou=self.config.nms_iou, sigma=self.config.soft_nms_sigma,
        )  # fmt: skip
        rows = zip(kept.tolist(), kept_score.tolist(), strict=True)
        return [segments[row]._replace(score=score) for row, score in rows]


SETTINGS = [
    Setting("`fast-soft`, sigma 0.5 (default)", DEFAULT),
    Setting("`fast-soft`, sigma 0.3", LocalizationConfig(soft_nms_sigma=0.3)),
    Setting("`soft`, sigma 0.5", LocalizationConfig(nms="soft")),
    Setting("`soft`, sigma 0.3", LocalizationConfig(nms="soft", soft_nms_sigma=0.3)),
    Setting("`greedy`, tIoU 0.3", LocalizationConfig(nms="greedy", nms_iou=0.3)),
    Setting("`greedy`, tIoU 0.45", LocalizationConfig(nms="greedy", nms_iou=0.45)),
    Setting("`greedy`, tIoU 0.5", LocalizationConfig(nms="greedy", nms_iou=0.5)),
    Setting("`none`", LocalizationConfig(nms="none")),
]


def main() -> None:
    """Prints the table, the choice by halves, and the errors that remain."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("truth", type=Path)
    parser.add_argument("proposals", type=Path)
    options = parser.parse_args()
    proposals = read_detections(options.proposals)
    truth: Videos = {
        video.id: video.instances
        for video in read_annotations(options.truth)
        if video.id in proposals
    }
    found = [{name: setting.applied(proposals[name]) for name in truth} for setting in SETTINGS]
    print(_settings_table(truth, found))
    print(_by_halves(truth, found))
    print(_errors(truth, found[0]))


def _settings_table(truth: Videos, found: Sequence[Videos]) -> str:
    count_RV = resampled_counts(list(truth))[: 1 + RESAMPLES]
    map_SRK = np.array([resampled_map(truth, own, TIOU_K, count_RV) for own in found])
    average_SR = 100 * map_SRK.mean(axis=2)
    rows = []
    for setting, map_RK, average_R in zip(SETTINGS, map_SRK, average_SR, strict=True):
        difference = interval_of(average_R - average_SR[0]).signed
        shown = [f"{100 * value:.1f}" for value in map_RK[0, SHOWN_K]]
        rows.append([setting.name, *shown, f"{average_R[0]:.1f}", difference])
    columns = [f"{TIOU_K[k]:g}" for k in SHOWN_K]
    return table(["setting", *columns, "average 0.1:0.7", "difference"], rows)


def _by_halves(truth: Videos, found: Sequence[Videos]) -> str:
    """Returns which settings halves of the videos choose, and their gain on the other halves."""
    rng = np.random.default_rng(0)
    half_DV = rng.permuted(np.arange(len(truth)) % 2 * np.ones((DIVISIONS, 1), np.intp), axis=1)
    count_HV = np.concatenate([half_DV, 1 - half_DV])
    average_SH = np.array(
        [100 * resampled_map(truth, own, TIOU_K, count_HV).mean(axis=1) for own in found]
    )
    other_SH = np.roll(average_SH, DIVISIONS, axis=1)
    chosen_H = average_SH.argmax(axis=0)
    gain_H = other_SH[chosen_H, np.arange(len(chosen_H))] - other_SH[0]
    times_S = np.bincount(chosen_H, minlength=len(SETTINGS))
    choices = [f"{n} x {SETTINGS[s].name}" for s, n in enumerate(times_S.tolist()) if n]
    return (
        f"{len(gain_H)} halves choose {', '.join(choices)}; gain over the default on the other "
        f"halves {gain_H.mean():+.2f}, from {gain_H.min():+.1f} to {gain_H.max():+.1f}\n"
    )


def _errors(truth: Videos, segments: Mapping[str, Sequence[Segment]]) -> str:
    """Returns the analysis of the report at tIoU 0.5."""
    tiou_K = (0.5,)
    found = diagnose(truth, rank_detections(truth, segments, tiou_K), tiou_K)
    count_O: NDArray[np.intp] = found.count_KBO[0].sum(axis=0)
    rows = [
        [outcome.text, str(count_O[outcome]), _gain(found.gain_KE[0], outcome)]
        for outcome in Outcome
    ]
    columns = ["outcome at tIoU 0.5", "segments", "mAP without them"]
    missed = f"{found.missed_K[0]} of {found.instances} instances are not hit"
    return table(columns, rows) + f"\n{missed}"


def _gain(gain_E: NDArray[np.float64], outcome: Outcome) -> str:
    return f"{100 * gain_E[outcome - 1]:+.1f}" if outcome else ""


if __name__ == "__main__":
    main()
