"""The requests, checks and limits that all scenarios share."""

import json
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from reliability.messages.valid_requests import features, inference_requests, localize_requests
from reliability.messages.wire import Connection, Request, Response
from reliability.server import Target

MODEL, CHANNELS = "small", 8
"""Name and channels of the model that the server must serve."""
LIMIT_S = 10.0
"""Longest time to a response."""
SHORT_TD, LONG_TD = features(2, CHANNELS), features(1500, CHANNELS)
"""Features of a short video and of a long one."""

Scenario: TypeAlias = Callable[[Target, int, float], None]
"""Plays a number of clients for about a number of seconds."""


class BreachError(Exception):
    """The server broke a promise."""


def expect(condition: bool, message: str) -> None:
    """Raises BreachError with the message unless the condition holds."""
    if not condition:
        raise BreachError(message)


def localize(features_TD: NDArray[np.float32], query: str = "") -> Request:
    """Returns a valid POST /localize."""
    request = localize_requests(features_TD)["raw"]
    return Request(request.method, request.path + query.encode(), request.headers, request.body)


def forms() -> list[Request]:
    """Returns valid requests for a short video in every form."""
    return [*localize_requests(SHORT_TD).values(), *inference_requests(SHORT_TD, MODEL).values()]


def send(target: Target, request: Request) -> Response:
    """Sends a request on a connection of its own and returns the response."""
    with Connection(target.port, timeout_s=LIMIT_S) as connection:
        return connection.exchange(request)


def content_of(response: Response) -> object:
    """Returns the status and content of a response, without its timing."""
    if response.media_type != "application/json":
        return response.status, response.body
    fields = json.loads(response.body)
    return response.status, {name: fields[name] for name in fields if name != "timing_ms"}
