"""A picture of a localized video: its class activation sequence over its segments."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import cycle
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from model.localize import scale_cas
from model.predict import VideoPrediction
from model.segments import Segment
from model.snippets import snippet_centres

SHOWN_SEGMENTS = 40
"""Only so many of the best predicted segments are drawn."""
LANES = 4
"""Segments that overlap stand below each other in so many lanes; what fits in none is left out."""
COLOURS = (
    "#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd",
    "#8c564b", "#e377c2", "#17becf", "#bcbd22", "#393b79",
)  # fmt: skip
"""One for each class of a picture, from the first again where there are more."""
UNKNOWN_COLOUR = "#7f7f7f"
"""Of true segments whose class the model does not know."""


def plot_video(
    title: str,
    result: VideoPrediction,
    classes: Sequence[str],
    path: Path,
    *,
    truth: Sequence[Segment] = (),
) -> None:
    """Writes a picture; its format follows the path's ending (.png, .svg, .pdf).

    The curves are the classes that have a segment, predicted or true. Below each other stand the
    ground truth, where it is known, and the predicted segments, darker where the score is higher;
    one that overlaps a better one stands below it.
    """
    figure = Figure(figsize=(11, 4.2), layout="constrained")
    colours = class_colours(result, classes, truth)
    curves = draw_video(figure, result, classes, colours, truth=truth)
    curves.set_title(title, loc="left", parse_math=False)
    if colours:
        _name_curves(curves, [f"{c} ({_score(result, classes, c):.0%})" for c in colours])
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=120)


def class_colours(
    result: VideoPrediction, classes: Sequence[str], truth: Sequence[Segment]
) -> dict[str, str]:
    """Returns a colour for each of the model's classes that a picture shows, in their order."""
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
    """Draws the curves of the coloured classes above all segments; returns the upper axes."""
    curves, bars = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1.6))
    _draw_cas(curves, result, classes, colours)
    _draw_segments(bars, result.segments[:SHOWN_SEGMENTS], truth, colours)
    curves.set_xlim(0, result.duration_s)
    return curves


def _draw_cas(
    axes: Axes, result: VideoPrediction, classes: Sequence[str], colours: Mapping[str, str]
) -> None:
    centre_T = snippet_centres(snippets=len(result.cas_TC), duration_s=result.duration_s)
    cas_TC = np.maximum(scale_cas(result.cas_TC, result.cas_scale), 0)
    for label, colour in colours.items():
        curve_T = cas_TC[:, list(classes).index(label)]
        axes.plot(centre_T, curve_T, color=colour)
        axes.fill_between(centre_T, curve_T, color=colour, alpha=0.15)
    scale = "normalised" if result.cas_scale == "video" else result.cas_scale
    axes.set_ylabel(f"class activation\n({scale})")
    axes.set_ylim(0, 1.05)


def _name_curves(axes: Axes, names: Sequence[str]) -> None:
    legend = axes.legend(
        axes.get_lines(), names, loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False
    )
    for text in legend.get_texts():
        text.set_parse_math(False)  # a label may hold a dollar sign


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
    names = ["found", "truth"] if truth else ["found"]
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(-0.5, len(names) - 0.5)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("time in the video (s)")


def _lanes(segments: Sequence[Segment]) -> Iterator[tuple[Segment, int]]:
    """Yields each segment, best first, with the first lane in which it overlaps none before it."""
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
