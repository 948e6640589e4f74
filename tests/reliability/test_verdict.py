"""The programs that look for faults know a fault when they see one."""

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
def test_framing_is_what_a_server_has_to_understand(data: bytes, expected: Framing) -> None:
    """Whole messages, and whether something is left over."""
    assert framing(data) == expected


def response(status: int, media_type: str, content: object, **headers: str) -> Response:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Response(status, {"content-type": media_type, **headers}, body)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (response(200, "application/json", {}), "/localize"),
        (response(422, "application/problem+json", PROBLEM), "/localize"),
        (response(503, "application/problem+json", PROBLEM | {"status": 503}), "/localize"),
        (response(400, "application/json", {"error": "why"}), "/v2/models/a/infer"),
        (response(400, "text/plain", b"no HTTP", connection="close"), None),
        (response(307, "text/plain", b"", location="/localize"), "/localize/"),
    ],
)
def test_right_answers_are_no_fault(given: Response, path: str | None) -> None:
    """Successes, foreseen errors in the right form, and the end of what is no HTTP."""
    assert fault(given, path) is None


@pytest.mark.parametrize(
    ("given", "path"),
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
def test_wrong_answers_are_faults(given: Response, path: str | None) -> None:
    """Bugs, wrong forms, and errors that contradict themselves."""
    assert fault(given, path)


def test_wrong_requests_can_be_had_again() -> None:
    """Seed and number alone make them, and they are of every kind."""
    made = [mutated(Random(f"0/{number}"), valid_requests()) for number in range(500)]
    assert made == [mutated(Random(f"0/{number}"), valid_requests()) for number in range(500)]
    assert len({kind for kind, _ in made}) == 21
