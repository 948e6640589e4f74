"""A plot of a localized video with matplotlib: a lane for each class, and its activation below.

Axes: T snippets, C classes.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ecm_client.drawing.lanes import Lane, strength
from ecm_client.drawing.time_axis import tick_name, tick_step_s
from ecm_client.errors import InputError
from ecm_client.segments import Segment

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INK, _INK_2, _LINE = "#14181F", "#5C6675", "#DCE0E6"
_WIDTH_IN, _LANE_IN, _CURVE_IN, _FRAME_IN = 11.0, 0.42, 0.34, 1.0
_TICKS = 12
_GAP, _BASE_LINE = 0.06, 0.03
"""Parts of the height of a lane."""
_NARROW_SHARE = 0.035
"""A segment of a smaller share of the video has no room for its score."""


def draw_lanes(
    lanes: Sequence[Lane],
    duration_s: float,
    *,
    title: str = "",
    curves: dict[str, NDArray[np.float32]] | None = None,
) -> "Figure":
    """Returns a figure with the segments of each lane, darker for higher scores.

    The figure is not shown; a notebook shows it, and `figure.savefig` writes it.

    Args:
        lanes: the lanes, from top to bottom.
        duration_s: length of the video in seconds.
        title: text above the plot.
        curves: activation (T,) of each class, from 0 to 1, drawn below its segments.

    Raises:
        InputError: matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ModuleNotFoundError:
        raise InputError("a plot needs the package matplotlib: pip install matplotlib") from None
    curves = curves or {}
    lane_in = _LANE_IN + (_CURVE_IN if curves else 0.16)
    figure = Figure(
        figsize=(_WIDTH_IN, _FRAME_IN + lane_in * max(len(lanes), 1)), layout="constrained"
    )
    axes = figure.subplots()
    curve_share = _CURVE_IN / lane_in if curves else 0.0
    for number, lane in enumerate(lanes):
        _draw_segments(axes, lane, -number, 1 - curve_share, duration_s)
        if lane.label in curves:
            _draw_curve(axes, curves[lane.label], lane.colour, -number, curve_share, duration_s)
    if not lanes:
        axes.text(0.5, 0.5, "no segments", transform=axes.transAxes, ha="center", color=_INK_2)
    _style(axes, lanes, duration_s, title)
    return figure


def _draw_segments(axes: "Axes", lane: Lane, top: float, height: float, duration_s: float) -> None:
    """Draws the rows of a lane below `top`; those of the best row have their scores."""
    from matplotlib.colors import to_rgba

    for share, row_share, row in lane.placed_rows:
        low = top - _GAP - (height - 2 * _GAP) * (share + row_share)
        row_height = (height - 2 * _GAP) * row_share
        spans = [(one.start_s, one.end_s - one.start_s) for one in row]
        shades = [to_rgba(lane.colour, strength(one.score)) for one in row]
        axes.broken_barh(spans, (low, row_height), facecolors=shades, linewidth=0)
        axes.broken_barh(spans, (low, _BASE_LINE), facecolor=lane.colour, linewidth=0)
    for segment in lane.rows[0]:
        if segment.end_s - segment.start_s > _NARROW_SHARE * duration_s:
            _draw_score(
                axes, segment, top - _GAP - (height - 2 * _GAP) * lane.placed_rows[0][1] / 2
            )


def _draw_score(axes: "Axes", segment: Segment, middle: float) -> None:
    axes.text(
        (segment.start_s + segment.end_s) / 2, middle, f"{segment.score:.2f}", va="center",
        ha="center", fontsize=8, color="white" if strength(segment.score) > 0.6 else _INK,
        clip_on=True,
    )  # fmt: skip


def _draw_curve(
    axes: "Axes",
    activation_T: NDArray[np.float32],
    colour: str,
    top: float,
    share: float,
    duration_s: float,
) -> None:
    """Draws the activation of a class at the bottom of its lane."""
    base, height = top - 0.95, share - 0.1
    snippet_s = duration_s / len(activation_T)
    centre_T = (np.arange(len(activation_T)) + 0.5) * snippet_s
    level_T = base + height * np.clip(activation_T, 0, 1)
    axes.fill_between(centre_T, base, level_T, color=colour, alpha=0.14, linewidth=0)
    axes.plot(centre_T, level_T, color=colour, linewidth=1.1)


def _style(axes: "Axes", lanes: Sequence[Lane], duration_s: float, title: str) -> None:
    step_s = tick_step_s(duration_s, _TICKS)
    ticks = np.arange(0, duration_s + step_s / 100, step_s)
    axes.set_xticks(ticks, [tick_name(float(tick), step_s) for tick in ticks])
    axes.set_xlim(0, duration_s)
    axes.set_ylim(-max(len(lanes), 1), 0)
    axes.set_yticks(
        [-number - 0.5 for number in range(len(lanes))], [_name(lane) for lane in lanes]
    )
    axes.hlines(range(-len(lanes), 1), 0, duration_s, color=_LINE, linewidth=0.8, zorder=0)
    axes.tick_params(length=0, colors=_INK_2, labelsize=9)
    for text, lane in zip(axes.get_yticklabels(), lanes, strict=True):
        text.set(color=lane.colour, fontweight="bold")
        text.set_parse_math(False)  # a label may contain a dollar sign
    axes.grid(visible=True, axis="x", color=_LINE, linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_title(title, loc="left", parse_math=False, color=_INK, fontsize=11)


def _name(lane: Lane) -> str:
    label = " ".join(lane.label.split())
    label = label if len(label) <= 28 else f"{label[:27]}…"
    return label if lane.score is None else f"{label}\n{100 * lane.score:.0f} %"
