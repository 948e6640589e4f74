"""The report as one HTML file that needs no other, and no network."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from model.predict import CasEngine, VideoPrediction
from model.spec import ModelSpec
from model.whole_file import whole_file
from training.datasets.video_record import VideoRecord, VideoSet
from training.evaluation import Evaluation, predict
from training.report import charts
from training.report.diagnosis import ERRORS, Outcome
from training.report.findings import Findings, find
from training.report.plot import class_colours
from training.report.precision_recall import PrecisionRecall
from training.report.video_scores import VideoScore, extremes

SHOWN_EACH = 3
"""So many of the best and of the worst videos and classes are drawn."""
SHOWN_PAIRS = 10
"""So many of the most confused pairs of classes are listed."""
NOT_A_NUMBER = "\N{EN DASH}"
"""How a figure is shown that nothing could be measured for."""
_MEANINGS = {
    Outcome.TRUE_POSITIVE: "takes a free instance of its class",
    Outcome.DOUBLE_DETECTION: "its instance is taken by a prediction with a higher score",
    Outcome.LOCALIZATION: "right class, tIoU of at least 0.1 but below the threshold",
    Outcome.CONFUSION: "as before, and the instance is of another class",
    Outcome.WRONG_LABEL: "tIoU at the threshold, but the instance is of another class",
    Outcome.BACKGROUND: "tIoU below 0.1 with every instance",
}


@dataclass(frozen=True, slots=True)
class Subject:
    """What a report is about."""

    model: str
    """Where the model lies."""
    spec: ModelSpec
    """Its spec, with the localization that was used."""
    videos: VideoSet
    """What it was evaluated on."""
    subset: str
    """The subset that these videos are."""
    software: str
    """Name and version of what evaluated it."""
    written: datetime
    """When."""

    @property
    def seconds(self) -> float:
        """How long the videos last together."""
        return sum(video.duration_s for video in self.videos.videos)

    @property
    def videos_with_instances(self) -> int:
        """Videos with a timed instance."""
        return sum(bool(video.instances) for video in self.videos.videos)


@dataclass(frozen=True, slots=True)
class DrawnClass:
    """A class in a picture."""

    label: str
    """The class."""
    colour: str
    """Its colour there."""
    score: float
    """What the legend says of it: its average precision, or its video-level score."""


@dataclass(frozen=True, slots=True)
class DrawnVideo:
    """A video with its picture."""

    score: VideoScore
    """How well it is localized."""
    duration_s: float
    """Its length."""
    segments: int
    """Segments found."""
    classes: tuple[DrawnClass, ...]
    """The classes that are drawn."""
    picture: str
    """The picture, as a data URI."""


@dataclass(frozen=True, slots=True)
class ErrorRow:
    """How often an outcome comes about, and what it costs."""

    outcome: Outcome
    """The outcome."""
    colour: str
    """Its colour in the picture."""
    meaning: str
    """What it is."""
    predictions: int
    """Predictions with it, at the threshold of the report."""
    share: float
    """Their share of all that are looked at."""
    gain: float | None
    """By how much the mAP there would be larger without them; None for the true positive."""
    average_gain: float | None
    """The same for the average mAP."""


def write_report(path: Path, subject: Subject, evaluation: Evaluation, engine: CasEngine) -> None:
    """Writes the page; `path` holds all of it, or what was there before.

    Args:
        path: the file; folders above it are made.
        subject: what was evaluated.
        evaluation: what came of it.
        engine: runs the network once more on the few videos that are drawn.
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
        # A name may hold half of a surrogate pair, which has no UTF-8.
        file.write(page.encode("utf-8", "xmlcharrefreplace"))


def render(
    subject: Subject,
    findings: Findings,
    *,
    best: Sequence[DrawnVideo],
    worst: Sequence[DrawnVideo],
) -> str:
    """Returns the page."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "figure": _figure, "clock": _clock}
    classes = _drawn_classes(findings.precision_recall, findings.close_up)
    return environment.get_template("page.html").render(
        subject=subject,
        findings=findings,
        detection=findings.evaluation.detection,
        localization=asdict(subject.spec.localization),
        recipe=_readable(subject.spec.provenance.recipe),
        drawn_classes=classes,
        errors=_error_rows(findings),
        videos={"Best": best, "Worst": worst},
        pairs=findings.confusion.pairs(SHOWN_PAIRS),
        pictures=_pictures(findings, classes),
    )


def _pictures(findings: Findings, classes: Sequence[DrawnClass]) -> dict[str, str]:
    colours = {drawn.label: drawn.colour for drawn in classes}
    tiou_K, close_up = findings.evaluation.detection.tiou_K, findings.close_up
    diagrams = {
        f"segments, hit at tIoU {findings.tiou:g}": findings.segment_reliability,
        "tags, every class in every video": findings.tag_reliability,
        "tags, first class of each video": findings.first_reliability,
    }
    return {
        "precision_recall": charts.precision_recall_picture(
            findings.precision_recall, colours, tiou_K, close_up
        ),
        "errors": charts.error_picture(findings.diagnosis, close_up),
        "reliability": charts.reliability_picture(diagrams),
    }


def _draw(
    subject: Subject, scores: Sequence[VideoScore], engine: CasEngine
) -> Iterator[DrawnVideo]:
    """Yields the videos with their pictures; one is in memory at a time."""
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
        picture=charts.video_picture(result, labels, colours, video.instances),
    )


def _drawn_classes(curves: PrecisionRecall, close_up: int) -> list[DrawnClass]:
    """Returns the best and the worst classes at a threshold, best first."""
    ap_C = curves.ap_KC[close_up]
    order = np.argsort(-ap_C, kind="stable").tolist()
    best = order[: min(SHOWN_EACH, (len(order) + 1) // 2)]
    worst = order[len(best) :][-SHOWN_EACH:]
    colours = [*charts.BEST_COLOURS[: len(best)], *charts.WORST_COLOURS[-len(worst) or 9 :]]
    return [
        DrawnClass(curves.classes[c], colour, float(ap_C[c]))
        for c, colour in zip([*best, *worst], colours, strict=True)
    ]


def _error_rows(findings: Findings) -> list[ErrorRow]:
    count_O = findings.diagnosis.count_KBO[findings.close_up].sum(axis=0)
    gain_KE = findings.diagnosis.gain_KE
    gains = dict(zip(ERRORS, gain_KE[findings.close_up].tolist(), strict=True))
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


def _percent(value: float, digits: int = 1) -> str:
    """Returns `56.1` for 0.561, a dash for NaN."""
    return NOT_A_NUMBER if np.isnan(value) else f"{100 * value:.{digits}f}"


def _figure(value: float) -> str:
    return NOT_A_NUMBER if np.isnan(value) else f"{value:.3f}"


def _clock(seconds: float) -> str:
    """Returns `1 h 02 min`, `3 min 04 s` or `12 s`."""
    minutes, rest = divmod(round(seconds), 60)
    if minutes >= 60:
        return f"{minutes // 60:,} h {minutes % 60:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _readable(recipe: str) -> str:
    """Returns a recipe's JSON in lines; as it is where it is none."""
    try:
        return json.dumps(json.loads(recipe), indent=2, ensure_ascii=False)
    except ValueError:
        return recipe
