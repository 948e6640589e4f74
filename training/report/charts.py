"""The pictures of a report, each as a data URI, so that the page needs no other file.

Names of classes and videos stand in the page's own text, never in a picture: there they can have
any length and any character.
"""

import base64
import io
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from model.predict import VideoPrediction
from model.segments import Segment
from training.report.diagnosis import BANDS, ERRORS, Diagnosis, Outcome
from training.report.plot import draw_video
from training.report.precision_recall import PrecisionRecall
from training.report.reliability import BINS, Reliability

INK, MUTED, ACCENT = "#1f2933", "#7b8794", "#2563eb"
BEST_COLOURS = ("#15803d", "#0891b2", "#7c3aed")
WORST_COLOURS = ("#dc2626", "#ea580c", "#b45309")
OUTCOME_COLOURS = {
    Outcome.TRUE_POSITIVE: "#15803d",
    Outcome.DOUBLE_DETECTION: "#a3d9a5",
    Outcome.LOCALIZATION: "#2563eb",
    Outcome.CONFUSION: "#93c5fd",
    Outcome.WRONG_LABEL: "#f59e0b",
    Outcome.BACKGROUND: "#cbd2d9",
}
BANDED_CLASSES = 8
"""From so many classes on, where most of them lie is shown as an area."""
_NO_DATE: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "png": {}}
"""Metadata with which equal pictures are equal bytes."""


def precision_recall_picture(
    curves: PrecisionRecall, colours: Mapping[str, str], tiou_K: Sequence[float], close_up: int
) -> str:
    """Returns the curves of the coloured classes at one threshold beside the mean at each."""

    def draw(figure: Figure) -> None:
        classes, means = figure.subplots(1, 2, sharey=True)
        _draw_classes(classes, curves, colours, close_up)
        classes.set_title(f"classes at tIoU {tiou_K[close_up]:g}")
        _draw_means(means, curves, tiou_K)
        means.set_title("mean over the classes at each tIoU")
        classes.set_ylabel("precision")
        for axes in (classes, means):
            axes.set(xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))

    return _picture(draw, 10, 3.9)


def _draw_classes(
    axes: Axes, curves: PrecisionRecall, colours: Mapping[str, str], close_up: int
) -> None:
    precision_CR = curves.precision_KCR[close_up]
    if len(precision_CR) >= BANDED_CLASSES:
        low_R, high_R = np.percentile(precision_CR, (10, 90), axis=0)
        axes.fill_between(
            curves.recall_R, low_R, high_R, color="#e4e7eb", label="four fifths of the classes"
        )
    for label, colour in colours.items():
        curve_R = precision_CR[curves.classes.index(label)]
        axes.plot(curves.recall_R, curve_R, color=colour, linewidth=1.2)
    axes.plot(curves.recall_R, precision_CR.mean(axis=0), color=INK, linewidth=2.2, label="mean")
    axes.legend(loc="best")


def _draw_means(axes: Axes, curves: PrecisionRecall, tiou_K: Sequence[float]) -> None:
    shades = matplotlib.colormaps["viridis"](np.linspace(0.9, 0.05, len(tiou_K)))
    mean_KR = curves.precision_KCR.mean(axis=1)
    for tiou, mean_R, shade in zip(tiou_K, mean_KR, shades, strict=True):
        axes.plot(curves.recall_R, mean_R, color=shade, linewidth=1.5, label=f"{tiou:g}")
    columns = 1 + (len(tiou_K) - 1) // 10
    axes.legend(loc="best", title="tIoU", ncols=columns, labelspacing=0.2)


def error_picture(diagnosis: Diagnosis, close_up: int) -> str:
    """Returns the outcomes of the best predictions beside what each error costs."""

    def draw(figure: Figure) -> None:
        profile, gains = figure.subplots(1, 2, width_ratios=(1.7, 1))
        _draw_profile(profile, diagnosis.count_KBO[close_up])
        profile.set_title(f"outcomes at tIoU {diagnosis.tiou_K[close_up]:g}", pad=36)
        _draw_gains(gains, diagnosis.gain_KE.mean(axis=0))
        gains.set_title("gain in average mAP without it", pad=36)

    return _picture(draw, 10, 4.1)


def _draw_profile(axes: Axes, count_BO: NDArray[np.intp]) -> None:
    total_B1 = count_BO.sum(axis=1, keepdims=True)
    share_BO = 100 * count_BO / np.maximum(total_B1, 1)
    below_BO = np.cumsum(share_BO, axis=1) - share_BO
    for outcome, colour in OUTCOME_COLOURS.items():
        axes.bar(
            range(BANDS),
            share_BO[:, outcome],
            bottom=below_BO[:, outcome],
            color=colour,
            width=0.82,
            label=outcome.text,
        )
    names = [f"{band + 1}G\n{count:,}" for band, count in enumerate(total_B1[:, 0].tolist())]
    axes.set_xticks(range(BANDS), names)
    axes.set(ylim=(0, 100), ylabel="share of the predictions (%)")
    axes.set_xlabel("predictions in the order of their scores, and how many there are")
    axes.grid(visible=False, axis="x")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=3, borderaxespad=0.2)


def _draw_gains(axes: Axes, gain_E: NDArray[np.float64]) -> None:
    places = range(len(ERRORS))[::-1]
    colours = [OUTCOME_COLOURS[error] for error in ERRORS]
    bars = axes.barh(places, 100 * gain_E, color=colours, height=0.68)
    axes.bar_label(bars, fmt="%.1f", padding=3)
    axes.set_yticks(places, [error.text for error in ERRORS])
    axes.set_xlim(0, max(1.0, 118 * float(gain_E.max())))
    axes.set_xlabel("percentage points")
    axes.grid(visible=False, axis="y")


def reliability_picture(diagrams: Mapping[str, Reliability]) -> str:
    """Returns reliability diagrams side by side, each above the number of scores in its bins."""

    def draw(figure: Figure) -> None:
        axes_2D = figure.subplots(
            2, len(diagrams), sharex=True, squeeze=False, height_ratios=(3, 1.1)
        )
        for (title, diagram), shares, counts in zip(diagrams.items(), *axes_2D, strict=True):
            _draw_reliability(shares, diagram)
            shares.set_title(title)
            _draw_counts(counts, diagram)
        axes_2D[0, 0].set_ylabel("share of hits")
        axes_2D[1, 0].set_ylabel("scores")

    return _picture(draw, 10, 4.3)


def _draw_reliability(axes: Axes, diagram: Reliability) -> None:
    centre_B = (np.arange(BINS) + 0.5) / BINS
    filled_B = diagram.count_B > 0
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    hits_B = diagram.hit_share_B[filled_B]
    axes.bar(centre_B[filled_B], hits_B, width=0.9 / BINS, color="#bfdbfe")
    axes.plot(diagram.score_B[filled_B], hits_B, color=ACCENT, marker="o", markersize=4)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))


def _draw_counts(axes: Axes, diagram: Reliability) -> None:
    centre_B = (np.arange(BINS) + 0.5) / BINS
    filled_B = diagram.count_B > 0
    axes.bar(centre_B[filled_B], diagram.count_B[filled_B], width=0.9 / BINS, color="#cbd2d9")
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(10.0, 2.0 * float(diagram.count_B.max())))
    axes.set_xlabel("score")


def video_picture(
    result: VideoPrediction,
    classes: Sequence[str],
    colours: Mapping[str, str],
    truth: Sequence[Segment],
) -> str:
    """Returns a video's curves over its segments; pixels, so that a long video costs no more."""

    def draw(figure: Figure) -> None:
        draw_video(figure, result, classes, colours, truth=truth)

    return _picture(draw, 10, 3.1, kind="png")


def _picture(
    draw: Callable[[Figure], None], width: float, height: float, *, kind: str = "svg"
) -> str:
    """Returns what is drawn on a figure of so many inches, as a data URI."""
    content = io.BytesIO()
    with _style():
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        figure.savefig(content, format=kind, dpi=150, metadata=_NO_DATE[kind])
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(content.getvalue()).decode()}"


def _style() -> AbstractContextManager[None]:
    """Returns the block in which figures look as the page does."""
    return matplotlib.rc_context(
        {
            "font.size": 9,
            "axes.edgecolor": MUTED,
            "axes.labelcolor": INK,
            "axes.titlesize": 9.5,
            "axes.titlelocation": "left",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.axisbelow": True,
            "axes.grid": True,
            "grid.color": "#e4e7eb",
            "grid.linewidth": 0.7,
            "xtick.color": "#52606d",
            "ytick.color": "#52606d",
            "text.color": INK,
            "legend.edgecolor": "none",
            "legend.framealpha": 0.85,
            "svg.hashsalt": "report",
        }
    )
