"""Lanes of a time line, and the ticks below them."""

import pytest

from ecm_client.drawing.lanes import lanes_of, strength
from ecm_client.drawing.time_axis import tick_name, tick_step_s
from ecm_client.segments import Segment


def test_overlaps_of_a_class_take_rows_best_first() -> None:
    """The fourth of four nested segments is left out; what touches shares a row."""
    nested = [Segment(10 - n, 20 + n, "a", 1 - n / 10) for n in range(4)]
    (lane,) = lanes_of([*nested, Segment(20, 22, "a", 0.5), Segment(5, 6, "a", 0.4)], {"a": 0.8})
    assert [[segment.score for segment in row] for row in lane.rows] == [
        [0.4, 1.0, 0.5],
        [0.9],
        [0.8],
    ]
    tops = [top for top, _, _ in lane.placed_rows]
    assert tops == sorted(tops)
    assert lane.placed_rows[0][1] > lane.placed_rows[1][1]


def test_weak_segments_are_hidden_unless_all_are_weak() -> None:
    """A class of weak segments has no lane beside a class of strong ones."""
    weak, strong = Segment(0, 1, "weak", 0.1), Segment(0, 1, "strong", 0.9)
    assert [lane.label for lane in lanes_of([weak, strong], {})] == ["strong"]
    assert [lane.label for lane in lanes_of([weak], {})] == ["weak"]
    assert lanes_of([], {"weak": 0.9}) == []


def test_the_most_probable_classes_have_lanes_in_their_colours() -> None:
    """A class has the same colour whichever classes are shown."""
    segments = [Segment(0, 1, f"c{n:02d}", 0.5) for n in range(30)]
    classes = {f"c{n:02d}": n / 30 for n in range(30)}
    lanes = lanes_of(segments, classes, max_lanes=2)
    assert [lane.label for lane in lanes] == ["c29", "c28"]
    colours = {lane.label: lane.colour for lane in lanes_of(segments, classes, max_lanes=99)}
    assert lanes[0].colour == colours["c29"] == colours["c09"] != colours["c10"]


def test_higher_scores_are_stronger() -> None:
    """Scores may be beyond 0 and 1."""
    shades = [strength(score) for score in (-1, 0.2, 0.6, 1, 1.5)]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0.25, pytest.approx(0.9))


@pytest.mark.parametrize(
    ("duration_s", "step_s", "time_s", "name"),
    [(0.8, 0.1, 0.3, "0:00.3"), (93, 10, 90, "1:30"), (36000, 3600, 7200, "2:00:00")],
)
def test_ticks_are_round_times(duration_s: float, step_s: float, time_s: float, name: str) -> None:
    """At most twelve of them."""
    assert tick_step_s(duration_s, 12) == step_s
    assert tick_name(time_s, step_s) == name
