"""Retries: their number, their delays, and connections that break."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import suppress

import httpx
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ecm_client.calls import send
from ecm_client.retries import FIRST_DELAY_S, LONGEST_DELAY_S, RETRIED_STATUSES
from ecm_localizer import AsyncClient, Client, LocalizerServiceError

FEATURES = np.zeros((4, 8), dtype=np.float32)
ANSWER = (
    b'{"model": {"name": "m", "version": 1}, "duration_s": 2.0, "snippets": 4, "classes": [], '
    b'"segments": [], "timing_ms": {}}'
)
REQUEST = httpx.Request("POST", "http://test/localize")


def response(status: int, retry_after: str | None) -> httpx.Response:
    headers = {} if retry_after is None else {"Retry-After": retry_after}
    return httpx.Response(status, headers=headers, request=REQUEST, text="<html>Bad Gateway</html>")


LOST = st.sampled_from(
    [httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError,
     httpx.ReadTimeout, httpx.PoolTimeout]
).map(lambda kind: kind("lost"))  # fmt: skip
STATUSES = st.sampled_from(sorted(RETRIED_STATUSES))
BUSY = st.builds(response, STATUSES, st.none())
RETRY_AFTER = st.integers(0, 10**9).map(str) | st.text(max_size=20).filter(
    lambda text: text.isascii() and text.isprintable()
)
DELAYED = st.builds(response, STATUSES, RETRY_AFTER)


def waits_s(retries: int, outcomes: Iterator[httpx.Response | httpx.TransportError]) -> list[float]:
    """Returns the delay before each try, when no try succeeds."""
    call, waits = send(REQUEST, retries), [0.0]
    assert next(call) is REQUEST
    with suppress(LocalizerServiceError):
        while True:
            waits.append(call.send(next(outcomes)))
            assert next(call) is REQUEST
    return waits


@given(st.integers(0, 12), st.data())
def test_tries_and_their_total_time_are_bounded(retries: int, data: st.DataObject) -> None:
    """Each delay is between half of a doubling time and all of it."""
    lost_or_busy = LOST | BUSY
    waits = waits_s(retries, iter(lambda: data.draw(lost_or_busy), None))
    longest = [min(FIRST_DELAY_S * 2**n, LONGEST_DELAY_S) for n in range(retries)]
    assert len(waits) == retries + 1
    assert waits[0] == 0
    assert sum(longest) / 2 <= sum(waits) <= sum(longest)


@given(st.integers(0, 12), st.data())
def test_whatever_a_server_says_no_wait_is_longer_than_the_limit(
    retries: int, data: st.DataObject
) -> None:
    """The limit also holds where Retry-After is far off or nonsense."""
    waits = waits_s(retries, iter(lambda: data.draw(LOST | BUSY | DELAYED), None))
    assert len(waits) == retries + 1
    assert all(0 <= wait_s <= LONGEST_DELAY_S for wait_s in waits)


@given(st.sampled_from([400, 401, 404, 413, 422, 500, 501, 507]))
def test_refusals_are_final(status: int) -> None:
    """A refusal is never retried, because it would be the same again."""
    assert waits_s(4, iter([response(status, None)])) == [0]


@pytest.mark.parametrize("error", [httpx.UnsupportedProtocol, httpx.LocalProtocolError])
def test_requests_that_cannot_be_sent_are_not_tried_again(
    error: type[httpx.TransportError],
) -> None:
    """A request that httpx cannot send fails at once."""
    assert waits_s(4, iter([error("no such thing")])) == [0]


def whole(status: str, body: bytes, kind: str) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


HTML = b"<html><head><title>502 Bad Gateway</title></head></html>"
GOOD = whole("200 OK", ANSWER, "application/json")
MISHAPS = {
    "closed while idle": [GOOD, b""],
    "closed in the middle of a head": [GOOD[:30]],
    "closed in the middle of a body": [GOOD[:-9]],
    "bad gateway": [whole("502 Bad Gateway", HTML, "text/html")],
    "unavailable, then a timeout": [
        whole("503 Service Temporarily Unavailable", HTML, "text/html"),
        whole("504 Gateway Time-out", HTML, "text/html"),
    ],
}


@pytest.fixture
def scripted() -> Iterator[tuple[str, list[bytes]]]:
    """Yields the address of a server and the list of its next responses, which may be cut."""
    answers: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    converse(listener.accept()[0], answers)

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", answers
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def converse(connection: socket.socket, answers: list[bytes]) -> None:
    """Answers requests with FEATURES until a response is cut or the client leaves."""
    with connection, connection.makefile("rb") as requests:
        while requests.readline():
            while requests.readline().strip():
                pass
            requests.read(FEATURES.nbytes)
            answer = answers.pop(0) if answers else GOOD
            connection.sendall(answer)
            if answer[-9:] not in (GOOD[-9:], HTML[-9:]):
                return


@pytest.mark.parametrize("mishap", MISHAPS)
def test_mishaps_on_a_connection_cost_a_try(mishap: str, scripted: tuple[str, list[bytes]]) -> None:
    """Both clients get a whole response in the end."""
    url, answers = scripted

    async def ask() -> list[int]:
        async with AsyncClient(url) as client:
            return [(await client.localize(FEATURES)).snippets for _ in range(2)]

    answers += MISHAPS[mishap]
    with Client(url) as client:
        assert [client.localize(FEATURES).snippets for _ in range(2)] == [4, 4]
    assert answers == []
    answers += MISHAPS[mishap]
    assert asyncio.run(ask()) == [4, 4]
    assert answers == []


def test_the_last_failure_of_a_proxy_is_the_error(scripted: tuple[str, list[bytes]]) -> None:
    """The message has the status and leaves out the page of the proxy."""
    url, answers = scripted
    answers += MISHAPS["bad gateway"] * 2
    with (
        Client(url, retries=1) as client,
        pytest.raises(LocalizerServiceError, match="HTTP 502") as error,
    ):
        client.localize(FEATURES)
    assert error.value.status == 502
    assert "<html>" not in str(error.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_an_error_that_names_its_target(status: int) -> None:
    """It is never followed, because a key must not go to another host."""
    sent = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url)
        return httpx.Response(status, headers={"Location": "/ecm/localize"})

    with (
        Client("http://test", transport=httpx.MockTransport(answer)) as client,
        pytest.raises(LocalizerServiceError, match="redirects to http://test/ecm/localize") as got,
    ):
        client.localize(FEATURES)
    assert (got.value.status, len(sent)) == (status, 1)
