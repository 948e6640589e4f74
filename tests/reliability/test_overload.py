"""Statistics of the overload program."""

import math

from reliability.load.generator import NO_PATIENCE, Account
from reliability.load.rates import Phase
from reliability.overload import recovery_s


def phase(*rows: tuple[float, float, int]) -> Phase:
    """A phase of 10 s with requests (scheduled time, latency, status)."""
    at_s, latency_s, status = (list(column) for column in zip(*rows, strict=True))
    sending = ["expect", "at-once"] * len(rows)
    account = Account(at_s, latency_s, status, sending[: len(rows)], [False] * len(rows))
    return Phase("any", 10.0, account)


def test_goodput_counts_requests_completed_in_time() -> None:
    """Refused requests do not count, nor requests completed after the phase."""
    seen = phase((0, 1, 200), (1, 0.1, 503), (2, 2, 200), (9.5, 1, 200), (3, 30, NO_PATIENCE))
    assert seen.goodput() == 0.2
    assert (seen.goodput("expect"), seen.goodput("at-once")) == (0.2, 0.0)


def test_percentiles_are_of_completed_requests() -> None:
    """Fast refusals do not count; without completed requests the percentile is NaN."""
    seen = phase(*((n, n, 200) for n in range(101)), (0, 0.0, 503))
    assert (seen.percentile_s(0.5), seen.percentile_s(0.99)) == (50, 99)
    assert math.isnan(phase((0, 0.0, 503)).percentile_s(0.99))


def test_recovery_ends_with_the_last_affected_request() -> None:
    """Slow and refused requests are affected."""
    assert recovery_s(phase((1, 0.1, 200), (2, 0.1, 200)), 0.5) == 0
    assert recovery_s(phase((1, 0.9, 200), (2, 0.1, 200)), 0.5) == 1
    assert recovery_s(phase((1, 0.9, 200), (2, 0.1, 503), (3, 0.1, 200)), 0.5) == 2
