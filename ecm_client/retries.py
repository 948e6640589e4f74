"""When a request is sent again, and after which delay.

A request may be repeated, because computing is all that the service does for it.
"""

import email.utils
import random
import time
from typing import TypeAlias

import httpx

Reply: TypeAlias = httpx.Response | httpx.TransportError
"""Response to a request, or the reason why there is none."""

RETRIED_STATUSES = {429, 502, 503, 504}
FIRST_DELAY_S, LONGEST_DELAY_S = 0.25, 30.0
JITTER_SHARE = 0.25
"""Random share added to Retry-After, so that clients do not all return at once."""


def is_temporary(reply: Reply) -> bool:
    """Returns whether the same request may succeed a little later."""
    if isinstance(reply, httpx.Response):
        return reply.status_code in RETRIED_STATUSES
    return not isinstance(reply, httpx.UnsupportedProtocol | httpx.LocalProtocolError)


def retry_delay_s(reply: Reply, attempt: int) -> float:
    """Returns the delay before the next try.

    Retry-After decides where there is one. Otherwise the delay doubles with each attempt, from
    `FIRST_DELAY_S`. Both have random jitter and end at `LONGEST_DELAY_S`.

    Args:
        reply: reply to the try that failed.
        attempt: number of tries before that one.
    """
    wanted_s = _retry_after_s(reply) if isinstance(reply, httpx.Response) else None
    if wanted_s is not None:
        return min(random.uniform(wanted_s, (1 + JITTER_SHARE) * wanted_s), LONGEST_DELAY_S)
    longest_s = min(FIRST_DELAY_S * 2**attempt, LONGEST_DELAY_S)
    return random.uniform(longest_s / 2, longest_s)


def _retry_after_s(response: httpx.Response) -> float | None:
    """Returns Retry-After in seconds, which may be written as a date; None without one."""
    text = response.headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    date = email.utils.parsedate_tz(text)
    return max(email.utils.mktime_tz(date) - time.time(), 0.0) if date else None
