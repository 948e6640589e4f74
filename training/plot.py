"""A picture of a localized video: its class activation sequence over its segments."""

from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import pyplot
from matplotlib.axes import Axes

from model.localization import normalise
from model.localizer import LocalizedVideo
from model.segments import Segment

matplotlib.use("Agg")

SHOWN_SEGMENTS = 40
"""Only so many of the best predicted segments are drawn."""


def plot_video(
    title: str,
    result: LocalizedVideo,
    classes: Sequence[str],
    path: Path,
    *,
    truth: Sequence[Segment] = (),
) -> None:
    """Writes a picture; its format follows the path's ending (.png, .svg, .pdf).

    The curves are the classes that have a segment, predicted or true. Below each other stand the
    ground truth, where it is known, and the predicted segments, darker where the score is higher.
    """
    segments = result.segments[:SHOWN_SEGMENTS]
    shown = [label for label in classes if label in {s.label for s in [*segments, *truth]}]
    colour = {label: f"C{index}" for index, label in enumerate(shown)}
    figure, (curves, bars) = pyplot.subplots(
        2, 1, sharex=True, figsize=(11, 4.2), height_ratios=(3, 1.4), layout="constrained"
    )
    try:
        _draw_cas(curves, result, classes, colour)
        _draw_segments(bars, segments, truth, colour)
        curves.set_title(title, loc="left")
        curves.set_xlim(0, result.duration_s)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=120)
    finally:
        pyplot.close(figure)


def _draw_cas(
    axes: Axes, result: LocalizedVideo, classes: Sequence[str], colour: dict[str, str]
) -> None:
    snippets = len(result.cas_TC)
    middle_T = (np.arange(snippets) + 0.5) * result.duration_s / snippets
    cas_TC = np.maximum(normalise(result.cas_TC), 0)
    for label in colour:
        curve_T = cas_TC[:, list(classes).index(label)]
        score = result.class_scores_C[list(classes).index(label)]
        axes.plot(middle_T, curve_T, color=colour[label], label=f"{label} ({score:.0%})")
        axes.fill_between(middle_T, curve_T, color=colour[label], alpha=0.15)
    axes.set_ylabel("class activation\n(normalised)")
    axes.set_ylim(0, 1.05)
    if colour:
        axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False)


def _draw_segments(
    axes: Axes, segments: Sequence[Segment], truth: Sequence[Segment], colour: dict[str, str]
) -> None:
    best = max((segment.score for segment in segments), default=1.0)
    for segment in reversed(segments):
        strength = float(np.clip(segment.score / best, 0.15, 1)) if best > 0 else 0.15
        _bar(axes, segment, row=0, colour=colour[segment.label], alpha=strength)
    for segment in truth:
        _bar(axes, segment, row=1, colour=colour[segment.label], alpha=1.0)
    names = ["found", "truth"] if truth else ["found"]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.set_xlabel("time in the video (s)")


def _bar(axes: Axes, segment: Segment, *, row: int, colour: str, alpha: float) -> None:
    span = (segment.start_s, segment.end_s - segment.start_s)
    axes.broken_barh([span], (row - 0.35, 0.7), facecolors=colour, alpha=alpha)
