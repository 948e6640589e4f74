"""The list of segments for people."""

import pytest

from ecm_client.localization import Localization
from ecm_client.segments import Segment
from ecm_localizer.command.segment_list import Display, segment_list

SEGMENTS = (
    Segment(75.5, 3723.44, "throw", 0.91),
    Segment(2.04, 15.0, "run", 0.456),
    Segment(1.0, 2.0, "jump", 0.1),
)


def localization(*segments: Segment, duration_s: float = 93.4, score: float = 0.9) -> Localization:
    return Localization(segments, {"run": score, "jump": 0.01}, duration_s, 10, "mine", 1)


def test_segments_are_listed_by_time_with_clock_times() -> None:
    """Weak ones are counted in the first line; from an hour on, a time has hours."""
    assert segment_list("a.mp4", localization(*SEGMENTS), Display(0.2)).splitlines() == [
        "a.mp4: 2 segments in a video of 93.4 s (1 more with a score below 0.2, see --all)",
        "      start        end  score  label",
        "    00:02.0    00:15.0   0.46  run",
        "    01:15.5  1:02:03.4   0.91  throw",
    ]


def test_seconds_and_one_segment() -> None:
    """Raw numbers to the millisecond; one segment is singular."""
    assert segment_list("a", localization(SEGMENTS[1]), Display(in_seconds=True)).splitlines() == [
        "a: 1 segment in a video of 93.4 s",
        "      start        end  score  label",
        "      2.040     15.000   0.46  run",
    ]


@pytest.mark.parametrize(
    ("found", "display", "reason"),
    [
        (localization(duration_s=39, score=0.2), Display(0.2, 0.25),
         "no class reached class_threshold 0.25; the highest score is 0.20 (run)"),
        (localization(SEGMENTS[2], duration_s=39), Display(0.2, 0.25),
         "1 segment with a score of at most 0.10; --all lists the segments"),
        (localization(duration_s=39), Display(0.2, 0.25),
         "no segment is left after localization, see --min-score and --max-segments"),
    ],
)  # fmt: skip
def test_an_empty_list_has_a_reason(found: Localization, display: Display, reason: str) -> None:
    """The class threshold, the scores, or the options."""
    assert segment_list("a", found, display) == f"a: 0 segments in a video of 39.0 s: {reason}"


def test_choices_of_the_model_complete_those_of_the_user() -> None:
    """The user's go first; a spec without a score has 0.2."""
    spec = {"display_min_score": 0.4, "localization": {"class_threshold": 0.3}}
    assert Display().completed(spec) == Display(0.4, 0.3)
    assert Display(0.1, 0.5).completed(spec) == Display(0.1, 0.5)
    assert Display().completed({"display_min_score": None}) == Display(0.2, None)


def test_labels_stay_on_one_line() -> None:
    """A line break in a label does not break the list."""
    text = segment_list("a", localization(Segment(0, 1, "long\n jump", 0.5)), Display())
    assert text.endswith("   0.50  long jump")
