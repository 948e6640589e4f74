"""Verdicts on responses, and the parsing of requests that they rely on."""

import json
from random import Random

import pytest

from reliability.messages.mutate import mutated
from reliability.messages.verdict import Framing, fault, framing
from reliability.messages.wire import Response
from reliability.mutations import valid_requests

GET = b"GET /v2%2Fmodels HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /localize HTTP/1.1\r\nHost: a\r\nContent-Length: 4\r\n\r\nbody"
PROBLEM = {"type": "urn:ecm-localizer:a", "title": "A", "status": 422, "detail": "why"}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (GET, Framing(("/v2/models",), "whole")),
        (POST + GET, Framing(("/localize", "/v2/models"), "whole")),
        (POST[:-1], Framing((), "cut")),
        (GET + POST[:9], Framing(("/v2/models",), "cut")),
        (b"\r\n\r\n", Framing((), "cut")),
        (GET + b"\0\0\r\n\r\n", Framing(("/v2/models",), "broken")),
        (b"GET http://a HTTP/1.1\r\n\r\n", Framing((), "broken")),
    ],
)
def test_framing_finds_messages_and_rest(data: bytes, expected: Framing) -> None:
    """The framing has all complete messages and the state of the rest."""
    assert framing(data) == expected


def response(status: int, media_type: str, content: object, **headers: str) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(status, {"content-type": media_type, **headers}, body)


@pytest.mark.parametrize(
    ("received", "path"),
    [
        (response(200, "application/json", {}), "/localize"),
        (response(422, "application/problem+json", PROBLEM), "/localize"),
        (response(503, "application/problem+json", PROBLEM | {"status": 503}), "/localize"),
        (response(400, "application/json", {"error": "why"}), "/v2/models/a/infer"),
        (response(400, "text/plain", b"no HTTP", connection="close"), None),
        (response(307, "text/plain", b"", location="/localize"), "/localize/"),
    ],
)
def test_correct_responses_have_no_fault(received: Response, path: str | None) -> None:
    """These are successes, expected errors in the right form, and plain text after no HTTP."""
    assert fault(received, path) is None


@pytest.mark.parametrize(
    ("received", "path"),
    [
        (response(500, "application/problem+json", PROBLEM | {"status": 500}), "/localize"),
        (response(200, "application/json", b"{"), "/localize"),
        (response(422, "application/json", PROBLEM), "/localize"),
        (response(404, "application/problem+json", PROBLEM), "/localize"),
        (response(422, "application/problem+json", PROBLEM | {"detail": ""}), "/localize"),
        (response(400, "application/problem+json", PROBLEM | {"status": 400}), "/v2"),
        (response(400, "application/json", {"error": ""}), "/v2"),
        (response(400, "text/plain", b"no HTTP", connection="close"), "/localize"),
        (response(400, "text/plain", b"no HTTP"), None),
    ],
)
def test_wrong_responses_have_a_fault(received: Response, path: str | None) -> None:
    """These are bugs, wrong forms, and contradictory errors."""
    assert fault(received, path)


def test_mutations_are_repeatable() -> None:
    """Seed and number determine a mutation, and all kinds occur."""
    made = [mutated(Random(f"0/{number}"), valid_requests()) for number in range(500)]
    assert made == [mutated(Random(f"0/{number}"), valid_requests()) for number in range(500)]
    assert len({kind for kind, _ in made}) == 21
