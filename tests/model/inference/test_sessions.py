"""The choice of a session for each run."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import cast

import pytest
from onnxruntime import InferenceSession

from model.inference.sessions import Instances, Shared, WideOrNarrow

FIRST, SECOND = cast("InferenceSession", "first"), cast("InferenceSession", "second")


@pytest.fixture
def either() -> WideOrNarrow:
    """The first session is for single runs, the second for concurrent ones."""
    return WideOrNarrow(wide=FIRST, narrow=SECOND)


@contextmanager
def lent(sessions: WideOrNarrow, count: int) -> Iterator[list[InferenceSession]]:
    """Lends a number of sessions at once and yields them in order."""
    with ExitStack() as stack:
        yield [stack.enter_context(sessions.lend()) for _ in range(count)]


def test_runs_one_after_the_other_get_all_cores(either: WideOrNarrow) -> None:
    """This holds while there is one run at a time."""
    for _ in range(3):
        with either.lend() as session:
            assert session is FIRST


def test_concurrent_runs_get_one_core_each(either: WideOrNarrow) -> None:
    """The run that started alone has all cores."""
    with lent(either, 3) as sessions:
        assert sessions == [FIRST, SECOND, SECOND]


def test_run_between_concurrent_ones_is_not_single(
    either: WideOrNarrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A moment after the others, a run is single again."""
    now_s = 1000.0
    monkeypatch.setattr("model.inference.sessions.monotonic", lambda: now_s)
    with lent(either, 2):
        now_s += 60
    with lent(either, 2) as sessions:
        assert sessions == [SECOND, SECOND]
    now_s += 0.09
    with either.lend() as session:
        assert session is SECOND
    now_s += 0.02
    for _ in range(2):
        with either.lend() as session:
            assert session is FIRST


def test_failed_run_is_over(either: WideOrNarrow) -> None:
    """Otherwise no later run would be single."""
    with pytest.raises(ZeroDivisionError), either.lend():
        raise ZeroDivisionError
    with either.lend() as session:
        assert session is FIRST


def test_first_run_is_single_even_if_the_clock_starts_with_it(
    either: WideOrNarrow, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing ran before it, whatever the time is."""
    monkeypatch.setattr("model.inference.sessions.monotonic", lambda: 0.0)
    with either.lend() as session:
        assert session is FIRST


def test_an_instance_is_free_again_after_a_run() -> None:
    """Also after one that failed."""
    instances = Instances([FIRST])
    with pytest.raises(ZeroDivisionError), instances.lend():
        raise ZeroDivisionError
    for _ in range(2):
        assert instances._idle.qsize() == 1
        with instances.lend() as session:
            assert session is FIRST


def test_no_two_runs_share_an_instance() -> None:
    """A shared session, in contrast, serves all runs."""
    instances = Instances([FIRST, SECOND])
    with instances.lend() as one, instances.lend() as other:
        assert {one, other} == {FIRST, SECOND}
    shared = Shared(FIRST)
    with shared.lend() as one, shared.lend() as other:
        assert one is other is FIRST
