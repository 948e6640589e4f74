"""A plot of one localized video: its class activation sequence above its segments.

Axes: T snippets, C classes.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MultipleLocator
from numpy.typing import NDArray

from model.localization.localize import scale_cas
from model.predict import VideoPrediction
from model.segments import Segment
from model.snippets import snippet_centres
from training.report.notation import clock, percent

SHOWN_SEGMENTS = 40
"""Number of predicted segments that are drawn: the ones with the highest scores."""
LANES = 4
"""Number of rows for segments that overlap; a segment that fits into none is not drawn."""
COLOURS = (
    "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#1f2933",
)  # fmt: skip
"""One colour for each class of a plot, then again from the first. The colours are those of Okabe
and Ito, which colour-blind people can tell apart; its yellow is left out, because it is too pale
for a line."""
UNKNOWN_COLOUR = "#7f7f7f"
"""Colour of ground-truth segments whose class the model does not know."""
TICK_STEPS_S = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
"""Distances between two ticks of a time axis; the smallest that gives at most MAX_TICKS is used."""
MAX_TICKS = 12


def plot_video(
    title: str,
    result: VideoPrediction,
    classes: Sequence[str],
    path: Path,
    *,
    truth: Sequence[Segment] = (),
) -> None:
    """Writes the plot of a video.

    The upper axes have one curve for each class with a predicted or true segment. The lower axes
    have the true segments, if they are known, and the predicted segments. A predicted segment is
    darker if its score is higher, and lower if it overlaps a segment with a higher score.

    Args:
        title: title above the plot.
        result: the localized video.
        classes: classes of the model, in the order of the class activation sequence.
        path: the file to write; its suffix decides the format: .png, .svg or .pdf.
        truth: the true segments.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    colours = class_colours(result, classes, truth)
    curves = draw_video(figure, result, classes, colours, truth=truth)
    curves.set_title(title, loc="left", parse_math=False)
    if colours:
        scores = [percent(_score(result, classes, label)) for label in colours]
        name_curves(curves, [f"{c} ({s} %)" for c, s in zip(colours, scores, strict=True)])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def class_colours(
    result: VideoPrediction, classes: Sequence[str], truth: Sequence[Segment]
) -> dict[str, str]:
    """Returns a colour for each class of the model that the plot shows, in the model's order."""
    shown = {segment.label for segment in [*result.segments[:SHOWN_SEGMENTS], *truth]}
    return dict(zip([label for label in classes if label in shown], cycle(COLOURS), strict=False))


def draw_video(
    figure: Figure,
    result: VideoPrediction,
    classes: Sequence[str],
    colours: Mapping[str, str],
    *,
    truth: Sequence[Segment] = (),
) -> Axes:
    """Draws the curves of the classes in `colours` above all segments; returns the upper axes."""
    curves, bars = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.6))
    _draw_cas(curves, result, classes, colours)
    _draw_segments(bars, result.segments[:SHOWN_SEGMENTS], truth, colours)
    set_time_axis(bars, result.duration_s)
    return curves


def activation_curves(result: VideoPrediction) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Returns the centre of each snippet in seconds, (T,), and the scaled activations, (T, C)."""
    centre_T = snippet_centres(snippets=len(result.cas_TC), duration_s=result.duration_s)
    return centre_T, np.maximum(scale_cas(result.cas_TC, result.cas_scale), 0)


def set_time_axis(axes: Axes, duration_s: float) -> None:
    """Sets a horizontal axis from 0 to the end of a video, with ticks such as 1:30."""
    fitting = (step for step in TICK_STEPS_S if duration_s / step <= MAX_TICKS)
    axes.xaxis.set_major_locator(MultipleLocator(next(fitting, duration_s / MAX_TICKS)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda time_s, _: clock(time_s)))
    axes.set_xlim(0, duration_s)
    axes.set_xlabel("time (h:mm:ss)" if duration_s >= 3600 else "time (m:ss)")


def name_curves(axes: Axes, names: Sequence[str]) -> None:
    """Adds a legend above the axes, with one name for each curve."""
    legend = axes.legend(
        axes.get_lines(), names, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a label may contain a dollar sign


def _draw_cas(
    axes: Axes, result: VideoPrediction, classes: Sequence[str], colours: Mapping[str, str]
) -> None:
    centre_T, activation_TC = activation_curves(result)
    for label, colour in colours.items():
        activation_T = activation_TC[:, list(classes).index(label)]
        axes.plot(centre_T, activation_T, color=colour)
        axes.fill_between(centre_T, activation_T, color=colour, alpha=0.15)
    scale = "normalised" if result.cas_scale == "video" else result.cas_scale
    axes.set_ylabel(f"class activation\n({scale})")
    axes.set_ylim(0, 1.05)


def _score(result: VideoPrediction, classes: Sequence[str], label: str) -> float:
    return float(result.class_scores_C[list(classes).index(label)])


def _draw_segments(
    axes: Axes, segments: Sequence[Segment], truth: Sequence[Segment], colours: Mapping[str, str]
) -> None:
    best = max((segment.score for segment in segments), default=1.0)
    lanes = list(_lanes(segments))
    step = 0.8 / max((lane + 1 for _, lane in lanes), default=1)
    for segment, lane in lanes:
        strength = float(np.clip(segment.score / best, 0.15, 1)) if best > 0 else 0.15
        place = (0.4 - step * (lane + 0.95), 0.9 * step)
        _bar(axes, segment, place, colours[segment.label], alpha=strength)
    for segment in truth:
        _bar(axes, segment, (0.64, 0.72), colours.get(segment.label, UNKNOWN_COLOUR), alpha=1.0)
    if not segments:
        axes.text(0.5, 0, "no segments", transform=axes.get_yaxis_transform(), va="center",
                  ha="center", color=UNKNOWN_COLOUR)  # fmt: skip
    rows = ["predicted", "true"] if truth else ["predicted"]
    axes.set_yticks(range(len(rows)), rows)
    axes.set_ylim(-0.5, len(rows) - 0.5)
    axes.grid(visible=False, axis="y")


def _lanes(segments: Sequence[Segment]) -> Iterator[tuple[Segment, int]]:
    """Yields each segment, best first, with the first lane in which it overlaps no better one."""
    lanes: list[list[Segment]] = [[] for _ in range(LANES)]
    for segment in segments:
        for number, lane in enumerate(lanes):
            if all(segment.end_s <= s.start_s or s.end_s <= segment.start_s for s in lane):
                lane.append(segment)
                yield segment, number
                break


def _bar(
    axes: Axes, segment: Segment, place: tuple[float, float], colour: str, *, alpha: float
) -> None:
    span = (segment.start_s, segment.end_s - segment.start_s)
    axes.broken_barh([span], place, facecolors=colour, alpha=alpha)
