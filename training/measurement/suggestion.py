"""Suggestions: the videos whose correction teaches a network most.

The times of a class are uncertain where its scaled class activation sequence (CAS) is near 0.5. A
CAS that is near 0 or 1 everywhere gives the same segments at any threshold. The results in
docs/explanation compare this rule with others.

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
"""Levels of the scaled CAS between which the reason counts a snippet as uncertain."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """A video to correct."""

    video: str
    """Id of the video."""
    label: str
    """Class of the video with the most uncertain times."""
    uncertainty: float
    """Uncertainty of its times, from 0 to 1; see `uncertainty`."""
    class_score: float
    """Probability of the class in the video."""
    segments: int
    """Number of segments of the class that the network finds."""
    familiarity: float | None
    """Share of the training videos that are as far from the others; None if unknown."""
    reason: str
    """Clauses on why the video is worth a correction."""


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
    highest, column = max((uncertainty(cas_TC[:, one]), one) for one in columns)
    label, score = spec.labels[column], float(result.class_scores_C[column])
    count = sum(segment.label == label for segment in result.segments)
    reason = "; ".join(_reasons(label, score, cas_TC[:, column], result, spec))
    return Suggestion(video.id, label, highest, score, count, result.familiarity, reason)


def _reasons(
    label: str,
    score: float,
    cas_T: NDArray[np.floating],
    result: VideoPrediction,
    spec: ModelSpec,
) -> Iterator[str]:
    share = float(((cas_T > LOW) & (cas_T < HIGH)).mean())
    yield f"{label} is neither certain nor excluded in {100 * share:.0f} % of the time"
    threshold = spec.localization.class_threshold
    if score < threshold:
        yield f"{label} has a tag, but its score {score:.2f} is below {threshold:g}"
    if result.likeness and result.likeness.note:
        yield "unlike the training videos"


def uncertainty(cas_T: NDArray[np.floating]) -> float:
    """Returns the mean of 4 a (1 - a) over the values a of a scaled CAS.

    Example: the values 0, 1, 0.5 and 0.5 have 0, 0, 1 and 1, so the result is 0.5.
    """
    return float(np.mean(4 * cas_T * (1 - cas_T)))
