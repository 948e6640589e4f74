"""Lanes of a time line: one for each class, overlapping segments in rows below each other."""

from bisect import bisect, insort
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ecm_client.segments import Segment

DISPLAY_MIN_SCORE = 0.2
"""Lowest score of the segments that people are shown, unless a model has its own."""
CLASS_COLOURS = (
    "#186FB5", "#CC5D02", "#02656E", "#5B3410", "#2E1076", "#2D8DFB", "#A8347D", "#791648",
    "#1F3D66", "#E9548D", "#4F7563", "#D02C44", "#188B69", "#737EAD", "#5F7F12", "#6F55CD",
    "#8A6A00", "#96604F", "#A9741C", "#B35BD8",
)  # fmt: skip
"""Colours of the classes, then again from the first. Colour-blind people can tell the first eight
apart; a name beside the lane distinguishes the others."""
_ROWS_OF = (((0.0, 1.0),), ((0.0, 0.62), (0.66, 0.34)), ((0.0, 0.54), (0.58, 0.19), (0.81, 0.19)))
"""Top and height of each row as shares of a lane, for one row, two rows and three rows."""


@dataclass(frozen=True, slots=True)
class Lane:
    """The segments of one class."""

    label: str
    """The class."""
    score: float | None
    """Probability that the video shows the class; None if not known."""
    colour: str
    """Colour of the class, `#rrggbb`."""
    rows: Sequence[Sequence[Segment]]
    """Segments in one to three rows, best first; those of one row do not overlap."""

    @property
    def placed_rows(self) -> list[tuple[float, float, Sequence[Segment]]]:
        """Top, height and segments of each row; the first row is the highest and tallest.

        Top and height are shares of the lane.
        """
        places = _ROWS_OF[len(self.rows) - 1]
        return [(*place, row) for place, row in zip(places, self.rows, strict=True)]


def lanes_of(
    segments: Sequence[Segment],
    classes: Mapping[str, float],
    *,
    labels: Sequence[str] = (),
    max_lanes: int = 12,
    min_score: float = DISPLAY_MIN_SCORE,
) -> list[Lane]:
    """Returns the lanes of the classes with segments, most probable class first.

    A segment that overlaps three better ones of its class is left out: it is a weak duplicate.

    Args:
        segments: segments in any order.
        classes: scores of the classes of the video.
        labels: classes in the order of the model, which determines the colours.
        max_lanes: largest number of lanes.
        min_score: lowest score of a segment. If none has it, all segments are shown.
    """
    shown = [one for one in segments if one.score >= min_score] or list(segments)
    by_label: dict[str, list[Segment]] = {}
    for segment in sorted(shown, key=lambda one: -one.score):
        by_label.setdefault(segment.label, []).append(segment)
    order = {label: number for number, label in enumerate(labels or sorted({*classes, *by_label}))}
    lanes = [
        Lane(label, classes.get(label), colour_of(order.get(label, 0)), _rows(found))
        for label, found in by_label.items()
    ]
    return sorted(lanes, key=lambda lane: -(lane.score or 0.0))[:max_lanes]


def colour_of(number: int) -> str:
    """Returns the colour of a class by its number in the model."""
    return CLASS_COLOURS[number % len(CLASS_COLOURS)]


def strength(score: float) -> float:
    """Returns how opaque a segment is drawn: 0.25 at a score of 0.2 or less, 0.9 at 1 or more."""
    share = (min(max(score, DISPLAY_MIN_SCORE), 1) - DISPLAY_MIN_SCORE) / (1 - DISPLAY_MIN_SCORE)
    return 0.25 + 0.65 * share


def _rows(best_first: Sequence[Segment]) -> list[list[Segment]]:
    """Returns each segment in the first row in which it overlaps none; rows are in time order."""
    rows: list[list[Segment]] = [[]]
    for segment in best_first:
        row = next((row for row in rows if _fits(segment, row)), None)
        if row is not None:
            insort(row, segment)
        elif len(rows) < len(_ROWS_OF):
            rows.append([segment])
    return rows


def _fits(segment: Segment, row: Sequence[Segment]) -> bool:
    place = bisect(row, segment)
    is_after = place == 0 or row[place - 1].end_s <= segment.start_s
    return is_after and (place == len(row) or segment.end_s <= row[place].start_s)
