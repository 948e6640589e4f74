"""What a server has to answer to bytes, and what is wrong with what it answered."""

import json
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote

import httptools

from reliability.wire import Answer

FORESEEN = frozenset({501, 502, 503, 504, 507})
"""Statuses above 499 that tell of no bug."""
_PLAIN = frozenset({400, 408, 413, 431, 505})
"""Statuses that end a connection whose bytes are no HTTP, in plain text."""
_LONG_HEAD_BYTES = 60_000


@dataclass(frozen=True, slots=True)
class Framing:
    """The messages that some bytes are, as a server has to understand them."""

    paths: tuple[str, ...]
    """Path of each whole message."""
    state: Literal["whole", "cut", "broken"]
    """Whether nothing else is there, or a message that goes on, or what is no message."""


class _Messages:
    """Collects what the parser finds."""

    def __init__(self) -> None:
        self.paths: list[str] = []
        self.begun = 0
        self._url = b""

    def on_message_begin(self) -> None:
        """A message begins."""
        self.begun += 1
        self._url = b""

    def on_url(self, part: bytes) -> None:
        """A part of its target."""
        self._url += part

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        if httptools.parse_url(self._url).path is None:  # as http://host, which few understand
            raise httptools.HttpParserError("no path")

    def on_message_complete(self) -> None:
        """All of it is."""
        self.paths.append(_path(self._url))


def framing(data: bytes) -> Framing:
    """Returns the messages that bytes are."""
    messages = _Messages()
    parser = httptools.HttpRequestParser(messages)
    try:
        parser.feed_data(data)
    except (httptools.HttpParserError, httptools.HttpParserUpgrade):
        return Framing(tuple(messages.paths), "broken")
    if len(data) > _LONG_HEAD_BYTES:  # its head may be too long, which is the server's choice
        return Framing(tuple(messages.paths), "broken")
    is_whole = messages.paths and messages.begun == len(messages.paths)
    return Framing(tuple(messages.paths), "whole" if is_whole else "cut")


def _path(url: bytes) -> str:
    return unquote(httptools.parse_url(url).path.decode("latin-1"))


def fault(answer: Answer, path: str | None) -> str | None:
    """Returns what is wrong with an answer, or None.

    Args:
        answer: to a request that may be wrong, too.
        path: of the request; None if it cannot be told.
    """
    if answer.status >= 500 and answer.status not in FORESEEN:
        return f"status {answer.status}"
    if answer.status < 200 or 300 <= answer.status < 400:
        return None if answer.headers.get("location") else f"status {answer.status}, no location"
    if answer.status < 300:
        return None if answer.media_type != "application/json" or _parsed(answer) is not None else (
            "200, but its body is no JSON"
        )  # fmt: skip
    if path is None and answer.media_type == "text/plain":
        return None if answer.status in _PLAIN and answer.ends_connection else "plain text, goes on"
    if path is not None and (path == "/v2" or path.startswith("/v2/")):
        return _fault_of_inference_error(answer)
    if path is None and answer.media_type == "application/json":
        return _fault_of_inference_error(answer)
    return _fault_of_problem(answer)


def _fault_of_problem(answer: Answer) -> str | None:
    told = _parsed(answer)
    if answer.media_type != "application/problem+json" or not isinstance(told, dict):
        return f"status {answer.status} without application/problem+json"
    if set(told) != {"type", "title", "status", "detail"} or not all(told.values()):
        return f"a problem with {sorted(told)}"
    if told["status"] != answer.status or not str(told["type"]).startswith("urn:ecm-localizer:"):
        return f"a problem that says {told['status']}, {told['type']}"
    return None


def _fault_of_inference_error(answer: Answer) -> str | None:
    told = _parsed(answer)
    if answer.media_type != "application/json" or not isinstance(told, dict):
        return f"status {answer.status} below /v2 without application/json"
    if list(told) != ["error"] or not isinstance(told["error"], str) or not told["error"]:
        return f"status {answer.status} below /v2 with {sorted(told)}"
    return None


def _parsed(answer: Answer) -> object:
    try:
        return json.loads(answer.body)
    except ValueError:
        return None
