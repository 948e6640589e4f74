"""Plots of a report, each as a data URI, so that the page needs no other file.

Names of classes and videos are in the text of the page and never in a plot, because in the text
they can have any length and contain any character.

Axes: K tIoU thresholds, C classes, R recalls, B bands or bins, O outcomes, E errors.
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

INK, MUTED, ACCENT, PALE, GREY = "#1f2933", "#7b8794", "#0072b2", "#b3d4e8", "#cbd2d9"
BEST_COLOURS = ("#0072b2", "#56b4e9", "#009e73")
"""Cold colours, which colour-blind people can tell from the warm ones."""
WORST_COLOURS = ("#d55e00", "#e69f00", "#cc79a7")
"""Warm colours."""
OUTCOME_COLOURS = {
    Outcome.TRUE_POSITIVE: "#009e73",
    Outcome.DOUBLE_DETECTION: "#f0e442",
    Outcome.LOCALIZATION: "#0072b2",
    Outcome.CONFUSION: "#56b4e9",
    Outcome.WRONG_LABEL: "#d55e00",
    Outcome.BACKGROUND: GREY,
}
"""Colours of Okabe and Ito, which colour-blind people can tell apart."""
SPREAD_CLASSES = 8
"""Smallest number of classes for which the spread of their curves is drawn as an area."""
_METADATA: dict[str, dict[str, str | None]] = {"svg": {"Date": None}, "png": {}}
"""Metadata by format, without a date, so that equal plots are equal bytes."""


def precision_recall_plot(
    curves: PrecisionRecall, colours: Mapping[str, str], tiou_K: Sequence[float], shown_k: int
) -> str:
    """Returns the curves of classes at one tIoU threshold, beside the mean curves at all."""

    def draw(figure: Figure) -> None:
        classes, means = figure.subplots(1, 2, sharey=True)
        _draw_classes(classes, curves, colours, shown_k)
        classes.set_title(f"Classes at tIoU {tiou_K[shown_k]:g}")
        _draw_means(means, curves, tiou_K)
        means.set_title("Mean of all classes at each tIoU")
        classes.set_ylabel("precision")
        for axes in (classes, means):
            axes.set(xlabel="recall", xlim=(0, 1), ylim=(0, 1.02))

    return _data_uri(draw, 10, 3.9)


def _draw_classes(
    axes: Axes, curves: PrecisionRecall, colours: Mapping[str, str], shown_k: int
) -> None:
    precision_CR = curves.precision_KCR[shown_k]
    if len(precision_CR) >= SPREAD_CLASSES:
        low_R, high_R = np.percentile(precision_CR, (10, 90), axis=0)
        axes.fill_between(
            curves.recall_R, low_R, high_R, color="#e4e7eb", label="middle 80 % of the classes"
        )
    for label, colour in colours.items():
        precision_R = precision_CR[curves.classes.index(label)]
        axes.plot(curves.recall_R, precision_R, color=colour, linewidth=1.2)
    axes.plot(curves.recall_R, precision_CR.mean(axis=0), color=INK, linewidth=2.2, label="mean")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 0.99), ncols=2, borderaxespad=0.2)


def _draw_means(axes: Axes, curves: PrecisionRecall, tiou_K: Sequence[float]) -> None:
    shades = matplotlib.colormaps["viridis"](np.linspace(0.9, 0.05, len(tiou_K)))
    mean_KR = curves.precision_KCR.mean(axis=1)
    for tiou, mean_R, shade in zip(tiou_K, mean_KR, shades, strict=True):
        axes.plot(curves.recall_R, mean_R, color=shade, linewidth=1.5, label=f"{tiou:g}")
    columns = 1 + (len(tiou_K) - 1) // 10
    axes.legend(loc="best", title="tIoU", ncols=columns, labelspacing=0.2)


def error_plot(diagnosis: Diagnosis, shown_k: int) -> str:
    """Returns the outcomes of the best predictions, beside the mAP that each error costs."""

    def draw(figure: Figure) -> None:
        profile, gains = figure.subplots(1, 2, width_ratios=(1.7, 1))
        _draw_profile(profile, diagnosis.count_KBO[shown_k])
        profile.set_title(f"Outcomes at tIoU {diagnosis.tiou_K[shown_k]:g}", pad=36)
        _draw_gains(gains, diagnosis.gain_KE.mean(axis=0))
        gains.set_title("Gain in average mAP without the error", pad=36)

    return _data_uri(draw, 10, 4.1)


def _draw_profile(axes: Axes, count_BO: NDArray[np.intp]) -> None:
    # Example: a band with 2 true positives, 1 double detection and 1 background error, in this
    # order, has bars of 50, 25 and 25 % that start at 0, 50 and 75 %.
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
    axes.set_xlabel("band of predictions, highest scores first; number of predictions in it")
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


def reliability_plot(diagrams: Mapping[str, Reliability]) -> str:
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
        axes_2D[1, 0].set_ylabel("number\nof scores")

    return _data_uri(draw, 10, 4.3)


def _draw_reliability(axes: Axes, diagram: Reliability) -> None:
    centre_B = (np.arange(BINS) + 0.5) / BINS
    filled_B = diagram.count_B > 0
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=1, linestyle=(0, (4, 3)))
    hits_B = diagram.hit_share_B[filled_B]
    axes.bar(centre_B[filled_B], hits_B, width=0.9 / BINS, color=PALE)
    axes.plot(diagram.score_B[filled_B], hits_B, color=ACCENT, marker="o", markersize=4)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))


def _draw_counts(axes: Axes, diagram: Reliability) -> None:
    centre_B = (np.arange(BINS) + 0.5) / BINS
    filled_B = diagram.count_B > 0
    axes.bar(centre_B[filled_B], diagram.count_B[filled_B], width=0.9 / BINS, color=GREY)
    axes.set_yscale("log")
    axes.set_ylim(0.7, max(10.0, 2.0 * float(diagram.count_B.max())))
    axes.set_xlabel("score")


def video_plot(
    result: VideoPrediction,
    classes: Sequence[str],
    colours: Mapping[str, str],
    truth: Sequence[Segment],
) -> str:
    """Returns a video's curves above its segments, as PNG so that long videos stay small."""

    def draw(figure: Figure) -> None:
        draw_video(figure, result, classes, colours, truth=truth)

    return _data_uri(draw, 10, 3.1, kind="png")


def _data_uri(
    draw: Callable[[Figure], None], width: float, height: float, *, kind: str = "svg"
) -> str:
    """Returns the data URI of a figure; width and height are in inches."""
    content = io.BytesIO()
    with _style():
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure)
        figure.savefig(content, format=kind, dpi=150, metadata=_METADATA[kind])
    mime = {"svg": "image/svg+xml", "png": "image/png"}[kind]
    return f"data:{mime};base64,{base64.b64encode(content.getvalue()).decode()}"


def _style() -> AbstractContextManager[None]:
    """Returns a context in which figures have the style of the page."""
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
