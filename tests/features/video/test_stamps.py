"""Time stamps as files write them become the times that were meant."""

from dataclasses import dataclass
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.video.stamps import JUMP_S, ascending

PERIOD_S = 0.04
APART = 6
"""Frames from one fault to the next: a fault needs sound neighbours."""


def times(*written_S: float | None, period_s: float = PERIOD_S, end_s: float = 0.0) -> list[float]:
    """The mended stamps; the order of the frames is checked on the way."""
    numbered = ((stamp_s, number) for number, stamp_s in enumerate(written_S))
    mended = list(ascending(numbered, period_s=period_s, end_s=end_s))
    assert list(range(len(written_S))) == [frame for _, frame in mended]
    return [stamp_s for stamp_s, _ in mended]


@dataclass
class Recording:
    """A plain model of a file: what was written, and what was meant."""

    written_S: list[float | None]
    meant_S: list[float]


steps_S = st.sampled_from([0.01, 0.04, 0.2, 0.5])
long_steps_S = st.sampled_from([0.04, 0.9, 1.5, 20.0, 3600.0])
faults = st.sampled_from(["none", "missing", "far ahead", "far behind", "exchanged"])


@st.composite
def parts(draw: st.DrawFn) -> Recording:
    """One part with a clock of its own: groups of frames, at most one fault in each."""
    meant_S, written_S = [0.0], [0.0]
    for _ in range(draw(st.integers(1, 4))):
        fault = draw(faults)
        begin = len(meant_S)
        for step_s in [*draw(st.lists(steps_S, min_size=APART, max_size=APART)), draw(long_steps_S),
                       *draw(st.lists(steps_S, min_size=APART, max_size=APART))]:  # fmt: skip
            meant_S.append(meant_S[-1] + step_s)
        written_S += meant_S[begin:]
        at = begin + 2
        if fault in ("missing", "far ahead", "far behind"):
            far_s = draw(st.floats(1e5, 1e6)) * (1 if fault == "far ahead" else -1)
            written_S[at] = None if fault == "missing" else meant_S[at] + far_s
            meant_S[at] = min(meant_S[at - 1] + PERIOD_S, meant_S[at + 1])
        elif fault == "exchanged":
            written_S[at : at + 2] = reversed(written_S[at : at + 2])
    return Recording(written_S, meant_S)


@given(st.lists(parts(), min_size=1, max_size=3), st.floats(-10, 1e4), st.floats(5, 1e4))
def test_stamps_become_the_times_that_were_meant(
    recordings: list[Recording], start_s: float, back_s: float
) -> None:
    """Parts follow each other, steps of any length stay, single faults are mended."""
    written_S: list[float | None] = []
    meant_S: list[float] = []
    own_s, meant_s = start_s, start_s
    for part in recordings:
        written_S += [None if stamp_s is None else own_s + stamp_s for stamp_s in part.written_S]
        meant_S += [meant_s + stamp_s for stamp_s in part.meant_S]
        own_s += part.meant_S[-1] - back_s  # the clock of the next part
        meant_s = meant_S[-1] + PERIOD_S
    assert pytest.approx(meant_S, abs=1e-6) == times(*written_S)


@given(st.lists(st.one_of(st.none(), st.floats(-1e6, 1e6)), max_size=60))
def test_stamps_never_decrease_whatever_was_written(written_S: list[float | None]) -> None:
    """No frame is lost, and frames keep their order."""
    mended_S = times(*written_S)
    assert len(written_S) == len(mended_S)
    assert sorted(mended_S) == mended_S


@given(st.lists(st.floats(0, 50), min_size=1, max_size=60))
def test_ascending_stamps_of_a_file_are_kept(steps_S: list[float]) -> None:
    """This includes slide shows and time lapses, which jump from image to image."""
    written_S = list(accumulate(steps_S))
    assert written_S == times(*written_S, end_s=written_S[-1])


def test_distances_after_a_jump_back_are_kept() -> None:
    """The second part has a variable rate and begins one period after the first."""
    first_S = [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
    second_S = [3.0, 3.1, 3.5, 4.1, 4.2, 4.25]
    expected = [*first_S, *(50.25 + stamp_s - 3.0 for stamp_s in second_S)]
    assert pytest.approx(expected) == times(*first_S, *second_S, period_s=0.25)


def test_jump_is_a_step_of_more_than_a_second() -> None:
    """A smaller step back is an exchange of neighbours, which sorting mends."""
    back_S = [5.0, 5.0 - JUMP_S, 5.1, 5.2, 5.3, 5.4]
    assert sorted(back_S) == times(*back_S)
    back_S[1] -= 0.01
    assert pytest.approx([5.0, 5.04, 5.1, 5.2, 5.3, 5.4]) == times(*back_S)


def test_two_outliers_in_a_row_are_mended() -> None:
    """The median of four witnesses bears one outlier."""
    mended_S = times(0.0, 0.04, 3760.0, 3760.04, 0.16, 0.2, 0.24, 0.28)
    assert pytest.approx([0.04 * frame for frame in range(8)]) == mended_S


@pytest.mark.parametrize("first", [None, 3760.0])
def test_first_frame_is_a_period_before_the_second_if_its_stamp_is_unusable(
    first: float | None,
) -> None:
    """Time therefore does not start at an outlier."""
    assert pytest.approx([9.96, 10.0, 10.04]) == times(first, 10.0, 10.04)


def test_frames_without_any_stamp_are_one_period_apart() -> None:
    """Raw streams have none; they start at 0."""
    assert pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4, 0.5]) == times(*[None] * 6, period_s=0.1)


@pytest.mark.parametrize(("end_s", "last_s"), [(0.0, 0.08), (19.9, 0.08), (20.0, 20.0)])
def test_jump_of_the_last_frame_needs_the_header(end_s: float, last_s: float) -> None:
    """No later frame confirms it, so it counts up to the duration that the file states."""
    assert pytest.approx([0.0, 0.04, last_s]) == times(0.0, 0.04, 20.0, end_s=end_s)


def test_last_frame_that_jumps_back_follows_the_one_before() -> None:
    """Its clock cannot be confirmed."""
    assert pytest.approx([5.0, 5.04, 5.08]) == times(5.0, 5.04, 0.0, end_s=99.0)
