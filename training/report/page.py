"""The report page: one HTML file that needs no other file and no network."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model.predict import CasEngine, VideoPrediction
from model.spec import ModelSpec
from model.whole_file import whole_file
from training.datasets.video_record import VideoRecord, VideoSet
from training.measurement.evaluation import Evaluation, predict
from training.report import charts
from training.report.diagnosis import ERRORS, Outcome
from training.report.findings import Findings, find
from training.report.notation import clock, decimal, percent
from training.report.plot import class_colours
from training.report.precision_recall import PrecisionRecall
from training.report.video_scores import VideoScore, extremes

SHOWN_EACH = 3
"""Number of best, and of worst, videos and classes that are drawn."""
SHOWN_PAIRS = 10
"""Number of most confused pairs of classes that are listed."""
_MEANINGS = {
    Outcome.TRUE_POSITIVE: "hits an instance of its class that no better prediction hits",
    Outcome.DOUBLE_DETECTION: "right class, but a better prediction hits the same instance",
    Outcome.LOCALIZATION: "right class; tIoU of at least 0.1, but below the threshold",
    Outcome.CONFUSION: "wrong class; tIoU of at least 0.1, but below the threshold",
    Outcome.WRONG_LABEL: "wrong class; tIoU at or above the threshold",
    Outcome.BACKGROUND: "tIoU below 0.1 with every instance",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """The model and the videos of a report."""

    model: str
    """Path of the model."""
    spec: ModelSpec
    """Spec of the model, with the localization settings that were used."""
    videos: VideoSet
    """Videos on which the model was evaluated."""
    subset: str
    """Name of the subset of these videos."""
    software: str
    """Name and version of the software that evaluated the model."""
    written: datetime
    """Time of the report."""

    @property
    def duration_s(self) -> float:
        """Total length of the videos in seconds."""
        return sum(video.duration_s for video in self.videos.videos)

    @property
    def videos_with_instances(self) -> int:
        """Number of videos with a timed instance."""
        return sum(bool(video.instances) for video in self.videos.videos)


@dataclass(frozen=True, slots=True)
class DrawnClass:
    """One class in the legend of a plot."""

    label: str
    """Name of the class."""
    colour: str
    """Colour of its curve."""
    score: float
    """Number beside the name: average precision, or video-level score."""


@dataclass(frozen=True, slots=True)
class DrawnVideo:
    """One video with its plot."""

    score: VideoScore
    """Localization quality of the video."""
    duration_s: float
    """Length of the video in seconds."""
    segments: int
    """Number of predicted segments."""
    classes: tuple[DrawnClass, ...]
    """Classes in the plot."""
    plot: str
    """Data URI of the plot."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """One row of the table of errors."""

    outcome: Outcome
    """Outcome of the predictions in this row."""
    colour: str
    """Colour of the outcome in the plot."""
    meaning: str
    """Definition of the outcome."""
    predictions: int
    """Number of predictions with this outcome at the shown tIoU threshold."""
    share: float
    """Share of the analysed predictions that have this outcome."""
    gain: float | None
    """Gain in mAP at the shown threshold without these predictions; None for true positives."""
    average_gain: float | None
    """Gain in average mAP without these predictions; None for true positives."""


def write_report(path: Path, subject: Subject, evaluation: Evaluation, engine: CasEngine) -> None:
    """Writes the page as a whole; if this fails, an older file at `path` stays as it was.

    Args:
        path: the file to write; missing parent folders are created.
        subject: the model and the videos.
        evaluation: the result of the evaluation.
        engine: runs the network again on the few videos that are drawn.
    """
    findings = find(subject.spec, subject.videos, evaluation)
    best, worst = extremes(list(findings.videos), SHOWN_EACH)
    page = render(
        subject,
        findings,
        best=list(_draw(subject, best, engine)),
        worst=list(_draw(subject, worst, engine)),
    )
    with whole_file(path) as file:
        # A name may contain half of a surrogate pair, which UTF-8 cannot encode.
        file.write(page.encode("utf-8", "xmlcharrefreplace"))


def render(
    subject: Subject,
    findings: Findings,
    *,
    best: Sequence[DrawnVideo],
    worst: Sequence[DrawnVideo],
) -> str:
    """Returns the page as HTML."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "decimal": decimal, "clock": clock}
    classes = _drawn_classes(findings.precision_recall, findings.shown_k)
    return environment.get_template("page.html").render(
        subject=subject,
        findings=findings,
        nothing_found=findings.evaluation.why_nothing_found(subject.spec.localization),
        detection=findings.evaluation.detection,
        localization=asdict(subject.spec.localization),
        recipe=_readable(subject.spec.provenance.recipe),
        drawn_classes=classes,
        errors=_error_rows(findings),
        videos={"Best": best, "Worst": worst},
        pairs=findings.confusion.pairs(SHOWN_PAIRS),
        plots=_plots(findings, classes),
    )


def _plots(findings: Findings, classes: Mapping[str, Sequence[DrawnClass]]) -> dict[str, str]:
    colours = {drawn.label: drawn.colour for group in classes.values() for drawn in group}
    tiou_K, shown_k = findings.evaluation.detection.tiou_K, findings.shown_k
    diagrams = {
        f"Segments, hits at tIoU {findings.tiou:g}": findings.segment_reliability,
        "Tags, all classes of each video": findings.tag_reliability,
        "Tags, highest score of each video": findings.top1_reliability,
    }
    return {
        "precision_recall": charts.precision_recall_plot(
            findings.precision_recall, colours, tiou_K, shown_k
        ),
        "errors": charts.error_plot(findings.diagnosis, shown_k),
        "reliability": charts.reliability_plot(diagrams),
    }


def _draw(
    subject: Subject, scores: Sequence[VideoScore], engine: CasEngine
) -> Iterator[DrawnVideo]:
    """Yields the videos with their plots; one video is in memory at a time."""
    of_id = {video.id: video for video in subject.videos.videos}
    results = predict(engine, subject.spec, [of_id[score.id] for score in scores])
    for score, (video, result) in zip(scores, results, strict=True):
        yield _drawn_video(score, video, result, subject.spec.labels)


def _drawn_video(
    score: VideoScore, video: VideoRecord, result: VideoPrediction, labels: Sequence[str]
) -> DrawnVideo:
    colours = class_colours(result, labels, video.instances)
    class_scores = dict(zip(labels, result.class_scores_C.tolist(), strict=True))
    return DrawnVideo(
        score,
        video.duration_s,
        segments=len(result.segments),
        classes=tuple(
            DrawnClass(label, colour, class_scores[label]) for label, colour in colours.items()
        ),
        plot=charts.video_plot(result, labels, colours, video.instances),
    )


def _drawn_classes(curves: PrecisionRecall, shown_k: int) -> dict[str, list[DrawnClass]]:
    """Returns the best and the worst classes at one tIoU threshold, both best first."""
    ap_C = curves.ap_KC[shown_k]
    order = np.argsort(-ap_C, kind="stable").tolist()
    best = order[: min(SHOWN_EACH, (len(order) + 1) // 2)]
    worst = order[len(best) :][-SHOWN_EACH:]
    colours = {"Best": (best, charts.BEST_COLOURS), "Worst": (worst, charts.WORST_COLOURS)}
    return {
        title: [
            DrawnClass(curves.classes[c], colour, float(ap_C[c]))
            for c, colour in zip(places, of_group, strict=False)
        ]
        for title, (places, of_group) in colours.items()
    }


def _error_rows(findings: Findings) -> list[ErrorRow]:
    count_O = findings.diagnosis.count_KBO[findings.shown_k].sum(axis=0)
    gain_KE = findings.diagnosis.gain_KE
    gains = dict(zip(ERRORS, gain_KE[findings.shown_k].tolist(), strict=True))
    average_gains = dict(zip(ERRORS, gain_KE.mean(axis=0).tolist(), strict=True))
    return [
        ErrorRow(
            outcome,
            colour,
            meaning=_MEANINGS[outcome],
            predictions=int(count_O[outcome]),
            share=float(count_O[outcome] / max(count_O.sum(), 1)),
            gain=gains.get(outcome),
            average_gain=average_gains.get(outcome),
        )
        for outcome, colour in charts.OUTCOME_COLOURS.items()
    ]


def _readable(recipe: str) -> str:
    """Returns the JSON of a recipe with indentation; any other text is returned unchanged."""
    try:
        return json.dumps(json.loads(recipe), indent=2, ensure_ascii=False)
    except ValueError:
        return recipe
