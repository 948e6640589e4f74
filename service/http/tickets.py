"""Tickets: short-lived rights to the media of one job, for elements that send no headers.

A `<video>` or `<img>` element of a page cannot send an API key. Its address has a ticket instead,
`EXPIRES.SIGNATURE`. Addresses end up in histories and logs of proxies, where a key must not.
"""

import hashlib
import hmac
import re
import time
from typing import Final

from starlette.datastructures import QueryParams
from starlette.types import Scope

EXPIRES_S: Final = 3600
"""Time for which a ticket is valid; the page gets a new one for a longer film."""
_MEDIA = re.compile(r"/jobs/([^/]+)/(video|still)")
"""Paths that a ticket opens."""
_TICKET = re.compile(r"([0-9]{1,12})\.([0-9a-f]{64})")


class Tickets:
    """Issues and checks tickets; processes that share the secret accept each other's."""

    def __init__(self, secret: bytes) -> None:
        """Takes the secret of the signatures."""
        self._secret = secret

    def issue(self, job_id: str) -> str:
        """Returns a new ticket for the media of a job."""
        expires = str(int(time.time()) + EXPIRES_S)
        return f"{expires}.{self._signature(job_id, expires)}"

    def admit(self, scope: Scope) -> bool:
        """Returns whether a request reads the media of a job and has a valid ticket for them."""
        media = _MEDIA.fullmatch(scope["path"])
        tickets = QueryParams(scope["query_string"]).getlist("ticket")
        if media is None or scope["method"] != "GET" or len(tickets) != 1:
            return False
        ticket = _TICKET.fullmatch(tickets[0])
        if ticket is None:
            return False
        expires, signature = ticket.groups()
        is_genuine = hmac.compare_digest(signature, self._signature(media[1], expires))
        return is_genuine and int(expires) > time.time()

    def _signature(self, job_id: str, expires: str) -> str:
        return hmac.new(self._secret, f"{job_id} {expires}".encode(), hashlib.sha256).hexdigest()
