"""What the overload program makes of what its generators saw."""

import math

from reliability.load.generator import NO_PATIENCE, Account
from reliability.load.rates import Phase
from reliability.overload import recovery_s


def phase(*rows: tuple[float, float, int]) -> Phase:
    """A phase of 10 s with requests: when they were to be sent, for how long, with what status."""
    at_s, latency_s, status = (list(column) for column in zip(*rows, strict=True))
    sending = ["expect", "at-once"] * len(rows)
    account = Account(at_s, latency_s, status, sending[: len(rows)], [False] * len(rows))
    return Phase("any", 10.0, account)


def test_goodput_counts_what_was_done_in_time() -> None:
    """What is refused does not count, nor what is done when the phase is over."""
    seen = phase((0, 1, 200), (1, 0.1, 503), (2, 2, 200), (9.5, 1, 200), (3, 30, NO_PATIENCE))
    assert seen.goodput() == 0.2
    assert (seen.goodput("expect"), seen.goodput("at-once")) == (0.2, 0.0)


def test_percentiles_are_of_what_was_done() -> None:
    """Refusals are quick and would make them look good; without any there is none."""
    seen = phase(*((n, n, 200) for n in range(101)), (0, 0.0, 503))
    assert (seen.percentile_s(0.5), seen.percentile_s(0.99)) == (50, 99)
    assert math.isnan(phase((0, 0.0, 503)).percentile_s(0.99))


def test_recovery_ends_with_the_last_request_that_suffered() -> None:
    """Late ones and refused ones."""
    assert recovery_s(phase((1, 0.1, 200), (2, 0.1, 200)), 0.5) == 0
    assert recovery_s(phase((1, 0.9, 200), (2, 0.1, 200)), 0.5) == 1
    assert recovery_s(phase((1, 0.9, 200), (2, 0.1, 503), (3, 0.1, 200)), 0.5) == 2
