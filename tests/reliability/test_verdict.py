"""The programs that look for faults know a fault when they see one."""

import json
from random import Random

import pytest

from reliability.mutate import mutated
from reliability.mutations import valid_requests
from reliability.verdict import Framing, fault, framing
from reliability.wire import Answer

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


def answer(status: int, media_type: str, content: object, **headers: str) -> Answer:
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    return Answer(status, {"content-type": media_type, **headers}, body)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (answer(200, "application/json", {}), "/localize"),
        (answer(422, "application/problem+json", PROBLEM), "/localize"),
        (answer(503, "application/problem+json", PROBLEM | {"status": 503}), "/localize"),
        (answer(400, "application/json", {"error": "why"}), "/v2/models/a/infer"),
        (answer(400, "text/plain", b"no HTTP", connection="close"), None),
        (answer(307, "text/plain", b"", location="/localize"), "/localize/"),
    ],
)
def test_right_answers_are_no_fault(given: Answer, path: str | None) -> None:
    """Successes, foreseen errors in the right form, and the end of what is no HTTP."""
    assert fault(given, path) is None


@pytest.mark.parametrize(
    ("given", "path"),
    [
        (answer(500, "application/problem+json", PROBLEM | {"status": 500}), "/localize"),
        (answer(200, "application/json", b"{"), "/localize"),
        (answer(422, "application/json", PROBLEM), "/localize"),
        (answer(404, "application/problem+json", PROBLEM), "/localize"),
        (answer(422, "application/problem+json", PROBLEM | {"detail": ""}), "/localize"),
        (answer(400, "application/problem+json", PROBLEM | {"status": 400}), "/v2"),
        (answer(400, "application/json", {"error": ""}), "/v2"),
        (answer(400, "text/plain", b"no HTTP", connection="close"), "/localize"),
        (answer(400, "text/plain", b"no HTTP"), None),
    ],
)
def test_wrong_answers_are_faults(given: Answer, path: str | None) -> None:
    """Bugs, wrong forms, and errors that contradict themselves."""
    assert fault(given, path)


def test_wrong_requests_can_be_had_again() -> None:
    """Seed and number alone make them, and they are of every kind."""
    made = [mutated(Random(f"0/{number}"), valid_requests()) for number in range(500)]
    assert made == [mutated(Random(f"0/{number}"), valid_requests()) for number in range(500)]
    assert len({kind for kind, _ in made}) == 21
