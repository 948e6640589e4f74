"""Which session a run takes."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import pytest
from onnxruntime import InferenceSession

from model.sessions import Instances, Shared, WideOrNarrow

FIRST, SECOND = cast("InferenceSession", "first"), cast("InferenceSession", "second")


@pytest.fixture
def either() -> WideOrNarrow:
    """The first for runs that are alone, the second for several."""
    return WideOrNarrow(wide=FIRST, narrow=SECOND)


@contextmanager
def taken(sessions: WideOrNarrow, count: int) -> Iterator[list[InferenceSession]]:
    """So many at once, in the order in which they were taken."""
    with ExitStack() as stack:
        yield [stack.enter_context(sessions.lend()) for _ in range(count)]


def test_runs_one_after_the_other_get_all_cores(either: WideOrNarrow) -> None:
    """As long as there is one at a time."""
    for _ in range(3):
        with either.lend() as session:
            assert session is FIRST


def test_runs_beside_others_get_one_core_each(either: WideOrNarrow) -> None:
    """The one that began alone has all."""
    with taken(either, 3) as sessions:
        assert sessions == [FIRST, SECOND, SECOND]


def test_one_of_several_is_not_taken_for_one_that_is_alone(
    either: WideOrNarrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it only begins between two others; a moment later it is alone."""
    now_s = 1000.0
    monkeypatch.setattr("model.sessions.monotonic", lambda: now_s)
    with taken(either, 2):
        now_s += 60
    with taken(either, 2) as sessions:
        assert sessions == [SECOND, SECOND]
    now_s += 0.09
    with either.lend() as session:
        assert session is SECOND
    now_s += 0.02
    for _ in range(2):
        with either.lend() as session:
            assert session is FIRST


def test_a_run_that_fails_is_over(either: WideOrNarrow) -> None:
    """Or no later one would ever be alone."""
    with pytest.raises(ZeroDivisionError), either.lend():
        raise ZeroDivisionError
    with either.lend() as session:
        assert session is FIRST


def test_instances_are_taken_in_turn() -> None:
    """No two runs have the same; a shared session is for all."""
    instances = Instances([FIRST, SECOND])
    with instances.lend() as one, instances.lend() as other:
        assert {one, other} == {FIRST, SECOND}
    shared = Shared(FIRST)
    with shared.lend() as one, shared.lend() as other:
        assert one is other is FIRST
