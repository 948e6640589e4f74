"""Suggestions: the videos whose correction teaches a network most.

The times of a class are uncertain where the thresholds on the scaled class activation sequence
(CAS) disagree. A CAS that is near 0 or 1 everywhere gives the same segments at any threshold.

Axes: T snippets, C classes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.localization.localize import scale_cas
from model.predict import CasEngine, VideoPrediction
from model.spec import ModelSpec
from training.datasets.video_record import VideoRecord
from training.measurement.evaluation import predict
from training.snippet_targets import unknown_times

LOW, HIGH = 0.25, 0.75
"""Levels of the scaled CAS whose disagreement counts."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A video to correct."""

    video: str
    """Id of the video."""
    label: str
    """Class of the video with the most uncertain times."""
    uncertainty: float
    """Disagreement of the thresholds on this class, from 0 to 1; see `disagreement`."""
    class_score: float
    """Probability of the class in the video."""
    segments: int
    """Number of segments of the class that the network finds."""
    familiarity: float | None
    """Share of the training videos that are as far from the others; None if unknown."""
    reason: str
    """Sentence on the uncertainty."""


def suggestions(
    engine: CasEngine, spec: ModelSpec, videos: Sequence[VideoRecord]
) -> list[Suggestion]:
    """Returns the videos with tags whose times are unknown, the most uncertain first.

    Raises:
        DataError: A video's features cannot be used; the message names the video.
    """
    open_ = [video for video in videos if unknown_times(video) & set(spec.labels)]
    found = (_suggestion(video, result, spec) for video, result in predict(engine, spec, open_))
    return sorted(found, key=lambda one: (-one.uncertainty, one.video))


def _suggestion(video: VideoRecord, result: VideoPrediction, spec: ModelSpec) -> Suggestion:
    cas_TC = scale_cas(result.cas_TC, result.cas_scale)
    columns = [spec.labels.index(label) for label in unknown_times(video) & set(spec.labels)]
    uncertainty, column = max((disagreement(cas_TC[:, one]), one) for one in columns)
    label, score = spec.labels[column], float(result.class_scores_C[column])
    count = sum(segment.label == label for segment in result.segments)
    reason = "; ".join(_reasons(label, score, uncertainty, result, spec))
    return Suggestion(video.id, label, uncertainty, score, count, result.familiarity, reason)


def _reasons(
    label: str, score: float, uncertainty: float, result: VideoPrediction, spec: ModelSpec
) -> Iterator[str]:
    yield f"{100 * uncertainty:.0f} % of the possible time of {label} is not certain"
    threshold = spec.localization.class_threshold
    if score < threshold:
        yield f"{label} has a tag, but its score {score:.2f} is below {threshold:g}"
    if result.likeness and result.likeness.note:
        yield "unlike the training videos"


def disagreement(cas_T: NDArray[np.floating]) -> float:
    """Returns the share of the snippets above the level LOW that are not above HIGH.

    Example: of the values 0.1, 0.3, 0.8 and 1.0, three are above 0.25, and one of these is not
    above 0.75; the result is 1/3. It is 1 where nothing reaches LOW, because the class has a tag.
    """
    possible = int((cas_T > LOW).sum())
    return 1 - int((cas_T > HIGH).sum()) / possible if possible else 1.0
