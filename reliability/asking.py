"""What clients ask the server for, and what they are owed."""

import json
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reliability.server import Target
from reliability.valid_requests import features, inference_requests, localize_requests
from reliability.wire import Answer, Connection, Request

MODEL, CHANNELS = "small", 8
"""What the server has to serve."""
LIMIT_S = 10.0
"""Longest time that an answer may take."""
SHORT_TD, LONG_TD = features(2, CHANNELS), features(1500, CHANNELS)
"""Features of a short video and of a long one."""

Scenario: TypeAlias = Callable[[Target, int, float], None]
"""Plays so many clients for about so many seconds."""


class BreachError(Exception):
    """The server did what it must not do."""


def expect(is_so: bool, otherwise: str) -> None:
    """Raises BreachError, with what is the case otherwise, unless it is so."""
    if not is_so:
        raise BreachError(otherwise)


def localize(features_TD: NDArray[np.float32], query: str = "") -> Request:
    """Returns a right request."""
    asked = localize_requests(features_TD)["raw"]
    return Request(asked.method, asked.path + query.encode(), asked.headers, asked.body)


def forms() -> list[Request]:
    """Returns right requests for a short video in every form."""
    return [*localize_requests(SHORT_TD).values(), *inference_requests(SHORT_TD, MODEL).values()]


def ask(target: Target, asked: Request) -> Answer:
    """Returns the answer to a request on a connection of its own."""
    with Connection(target.port, timeout_s=LIMIT_S) as connection:
        return connection.ask(asked)


def found_in(answer: Answer) -> object:
    """Returns what an answer tells, without the time that it took."""
    if answer.media_type != "application/json":
        return answer.status, answer.body
    told = json.loads(answer.body)
    return answer.status, {name: told[name] for name in told if name != "timing_ms"}
