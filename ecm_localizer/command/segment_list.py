"""The list of segments that `ecm localize` prints."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ecm_client.drawing.lanes import DISPLAY_MIN_SCORE
from ecm_client.formats.video_segments import clock
from ecm_client.localization import Localization
from ecm_client.segments import Segment

NOTHING = "no segment"
"""Start of the note on an empty answer, whose place `why_none` takes."""


@dataclass(frozen=True, slots=True)
class Display:
    """Choices for the list."""

    min_score: float | None = None
    """Lowest score in the list; lower ones are only counted. None for the model's choice."""
    class_threshold: float | None = None
    """Class score that localization requires; None for the model's choice."""
    in_seconds: bool = False
    """Whether times are seconds instead of minutes and seconds."""

    def completed(self, spec: Mapping[str, Any]) -> "Display":
        """Returns the choices with those of a model's spec, in its JSON form, in place of None."""
        own = spec.get("display_min_score")
        min_score = DISPLAY_MIN_SCORE if own is None else own
        threshold = spec.get("localization", {}).get("class_threshold")
        return replace(
            self,
            min_score=min_score if self.min_score is None else self.min_score,
            class_threshold=threshold if self.class_threshold is None else self.class_threshold,
        )


def segment_list(name: str, localization: Localization, display: Display) -> str:
    """Returns the segments of one video in order of time, below a line with their number."""
    min_score = DISPLAY_MIN_SCORE if display.min_score is None else display.min_score
    listed = [segment for segment in localization.by_time() if segment.score >= min_score]
    head = f"{name}: {count(len(listed), 'segment')} in a video of {localization.duration_s:.1f} s"
    notes = [f"  note: {note}" for note in localization.notes if not note.startswith(NOTHING)]
    if not listed:
        return "\n".join([f"{head}: {why_none(localization, display)}", *notes])
    if hidden := len(localization) - len(listed):
        head += f" ({hidden} more with a score below {min_score:.2g}, see --all)"
    columns = f"  {'start':>9}  {'end':>9}  {'score':>5}  label"
    return "\n".join([head, columns, *(_row(segment, display) for segment in listed), *notes])


def why_none(localization: Localization, display: Display) -> str:
    """Returns the reason why a list is empty."""
    if localization.segments:
        best = max(segment.score for segment in localization)
        hidden = count(len(localization), "segment")
        return f"{hidden} with a score of at most {best:.2f}; --all lists the segments"
    label, score = next(iter(localization.classes.items()), ("", 0.0))
    threshold = display.class_threshold
    if threshold is not None and score < threshold:
        return (
            f"no class reached class_threshold {threshold:g}; the highest score is {score:.2f} "
            f"({_one_line(label)})"
        )
    return "no segment is left after localization, see --min-score and --max-segments"


def count(number: int, noun: str) -> str:
    """Returns a number with its noun: `1 segment`, `2 segments`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _row(segment: Segment, display: Display) -> str:
    start, end = (_time(time_s, display) for time_s in (segment.start_s, segment.end_s))
    return f"  {start:>9}  {end:>9}  {segment.score:5.2f}  {_one_line(segment.label)}"


def _time(seconds: float, display: Display) -> str:
    """Returns `02:05.3`, or `1:02:05.3` from an hour on."""
    if display.in_seconds:
        return f"{seconds:.3f}"
    text = clock(seconds)
    return text if text.count(":") > 1 else text.zfill(len("00:00.0"))


def _one_line(text: str) -> str:
    return " ".join(text.split())
