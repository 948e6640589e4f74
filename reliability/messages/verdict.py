"""Verdicts on a server: the responses that it owes to some bytes, and faults of its responses."""

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

import httptools

from reliability.messages.wire import Response

EXPECTED = frozenset({501, 502, 503, 504, 507})
"""Statuses above 499 that are no bug."""
_PLAIN_TEXT = frozenset({400, 408, 413, 431, 505})
"""Statuses of plain-text responses to bytes that are not HTTP."""
_LONG_HEAD_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Framing:
    """HTTP messages that some bytes contain."""

    paths: tuple[str, ...]
    """Path of each complete message."""
    state: Literal["whole", "cut", "broken"]
    """Rest of the bytes: `whole` for none, `cut` for part of a message, `broken` for no HTTP."""


class _Messages:
    """Callbacks of the parser, which collect the messages."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.begun = 0
        self._url = b""

    def on_message_begin(self) -> None:
        """Counts a message."""
        self.begun += 1
        self._url = b""

    def on_url(self, part: bytes) -> None:
        """Appends a part of the request target."""
        self._url += part

    def on_headers_complete(self) -> None:
        """Rejects a target without a path."""
        if (
            httptools.parse_url(self._url).path is None
        ):  # as in http://host, which few servers accept
            raise httptools.HttpParserError("no path")

    def on_message_complete(self) -> None:
        """Adds the path of a complete message."""
        self.paths.append(_path(self._url))


def framing(data: bytes) -> Framing:
    """Returns the HTTP messages that some bytes contain."""
    messages = _Messages()
    parser = httptools.HttpRequestParser(messages)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return Framing(tuple(messages.paths), "broken")
    if len(data) > _LONG_HEAD_BYTES:  # the server may refuse such long headers
        return Framing(tuple(messages.paths), "broken")
    is_whole = messages.paths and messages.begun == len(messages.paths)
    return Framing(tuple(messages.paths), "whole" if is_whole else "cut")


def _path(url: bytes) -> str:
    return unquote(httptools.parse_url(url).path.decode("latin-1"))


def fault(response: Response, path: str | None) -> str | None:
    """Returns the fault of a response, or None.

    Args:
        response: the response to a request that may be malformed.
        path: path of the request; None if it is unknown.
    """
    if response.status >= 500 and response.status not in EXPECTED:
        return f"status {response.status}"
    if response.status < 200 or 300 <= response.status < 400:
        has_location = bool(response.headers.get("location"))
        return None if has_location else f"status {response.status} without Location"
    if response.status < 300:
        is_valid = response.media_type != "application/json" or _parsed(response) is not None
        return None if is_valid else "a body that is not JSON"
    if path is None and response.media_type == "text/plain":
        is_valid = response.status in _PLAIN_TEXT and response.ends_connection
        return None if is_valid else "plain text on an open connection"
    if path is not None and (path == "/v2" or path.startswith("/v2/")):
        return _fault_of_inference_error(response)
    if path is None and response.media_type == "application/json":
        return _fault_of_inference_error(response)
    return _fault_of_problem(response)


def _fault_of_problem(response: Response) -> str | None:
    problem = _parsed(response)
    if response.media_type != "application/problem+json" or not isinstance(problem, dict):
        return f"status {response.status} without application/problem+json"
    if set(problem) != {"type", "title", "status", "detail"} or not all(problem.values()):
        return f"a problem with the fields {sorted(problem)}"
    if problem["status"] != response.status or not str(problem["type"]).startswith(
        "urn:ecm-localizer:"
    ):
        return f"a problem with status {problem['status']} and type {problem['type']}"
    return None


def _fault_of_inference_error(response: Response) -> str | None:
    error = _parsed(response)
    if response.media_type != "application/json" or not isinstance(error, dict):
        return f"status {response.status} below /v2 without application/json"
    if list(error) != ["error"] or not isinstance(error["error"], str) or not error["error"]:
        return f"status {response.status} below /v2 with {sorted(error)}"
    return None


def _parsed(response: Response) -> object:
    try:
        return json.loads(response.body)
    except ValueError:
        return None
