import asyncio
import email.utils
import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecm_client.localization import Localization
from ecm_client.retries import retry_delay_s
from ecm_localizer import (
    AsyncClient,
    Client,
    InputError,
    LocalizerError,
    LocalizerServiceError,
    Progress,
)

FEATURES = np.zeros((4, 8), dtype=np.float32)
ANSWER = {
    "model": {"name": "m", "version": 1}, "duration_s": 2.0, "snippets": 4,
    "classes": [], "segments": [], "timing_ms": {},
}  # fmt: skip


def test_arrays_paths_and_both_clients_give_one_answer(
    url: str, features_TD: np.ndarray, tmp_path: Path
) -> None:
    """Arrays of several types, a path and its text give one result, with and without asyncio."""
    path = tmp_path / "video.npy"
    np.save(path, features_TD)

    async def ask() -> list[object]:
        async with AsyncClient(url) as client:
            many = [found async for found in client.localize_many([path, features_TD])]
            assert await client.health()
            assert [m.name for m in await client.models()] == ["small"]
            assert (await client.model("small", 1)).spec
            return [await client.localize(path), *many]

    with Client(url) as client:
        expected = client.localize(features_TD).segments
        assert expected
        for features in (path, str(path), features_TD.astype(np.float64)):
            assert client.localize(features).segments == expected
        assert client.localize(features_TD.astype(np.float16), max_segments=1).segments
        assert client.localize(features_TD, include="cas").cas_TC is not None
        assert client.model("small", 1).feature_dim == 8
        assert [m.name for m in client.models()] == ["small"]
        assert client.health().status == "ok"
    assert [answer.segments for answer in asyncio.run(ask())] == [expected] * 3  # type: ignore[attr-defined]


def test_localize_many_keeps_order_and_reads_ahead_no_more_than_it_may(
    url: str, features_TD: np.ndarray
) -> None:
    """Inputs may come from a generator; one bad input costs no other."""
    taken: list[int] = []

    def videos() -> Iterator[np.ndarray]:
        for number in range(12):
            taken.append(number)
            yield features_TD[: 20 + number] if number != 5 else features_TD[:, :3]

    with Client(url) as client:
        for number, answer in enumerate(client.localize_many(videos(), concurrency=3)):
            assert len(taken) <= number + 4
            if number == 5:
                assert isinstance(answer, LocalizerServiceError)
                assert (answer.status, answer.code) == (422, "unusable-input")
            else:
                assert not isinstance(answer, LocalizerServiceError)
                assert answer.snippets == 20 + number
        assert list(client.localize_many([])) == []


def test_refusals_carry_status_and_reason(url: str, features_TD: np.ndarray) -> None:
    """Input that cannot be sent is an InputError, a refusal has its status and code."""
    with Client(url) as client:
        for features, options, kind, message in (
            (features_TD[:, :5], {}, LocalizerServiceError, "expected 8 channels"),
            (features_TD, {"model": "other"}, LocalizerServiceError, "'other'"),
            ("absent.npy", {}, InputError, "absent"),
            (features_TD[0], {}, InputError, r"\(8,\)"),
        ):
            with pytest.raises(kind, match=message):
                client.localize(features, **options)
        with pytest.raises(LocalizerServiceError, match="limit is 100000") as refused:
            client.localize(np.zeros((4000, 8), dtype=np.float32))
    assert (refused.value.status, refused.value.code) == (413, "body-too-large")


def scripted(*statuses: int | type[Exception]) -> tuple[httpx.MockTransport, list[float]]:
    """Returns a transport that gives some statuses in turn, then 200; and the times of requests."""
    requests_s: list[float] = []

    def answer(request: httpx.Request) -> httpx.Response:
        requests_s.append(time.monotonic())
        status = statuses[len(requests_s) - 1] if len(requests_s) <= len(statuses) else 200
        if not isinstance(status, int):
            raise status("refused")
        headers = {"Retry-After": "0"} if status == 503 else {}
        return httpx.Response(status, json=ANSWER if status == 200 else {}, headers=headers)

    return httpx.MockTransport(answer), requests_s


@pytest.mark.parametrize("first", [503, 429, 502, 504, httpx.ConnectError, httpx.ReadError])
def test_what_may_pass_is_tried_again(first: int | type[Exception]) -> None:
    """Both clients retry while a service is busy, restarting or unreachable."""
    transport, requests_s = scripted(first, 503)
    with Client("http://test", transport=transport) as client:
        assert client.localize(FEATURES).snippets == 4
    assert len(requests_s) == 3

    async def ask() -> int:
        async with AsyncClient("http://test", transport=scripted(first)[0]) as client:
            return (await client.localize(FEATURES)).snippets

    assert asyncio.run(ask()) == 4


def test_what_stays_is_not_tried_again_and_tries_end() -> None:
    """A refusal is final; a service that stays busy or unreachable is an error after all tries."""
    transport, requests_s = scripted(422)
    with (
        Client("http://test", transport=transport) as client,
        pytest.raises(LocalizerServiceError, match="HTTP 422"),
    ):
        client.localize(FEATURES)
    assert len(requests_s) == 1
    transport, requests_s = scripted(*[503] * 9)
    with (
        Client("http://test", transport=transport, retries=2) as client,
        pytest.raises(LocalizerServiceError) as busy,
    ):
        client.localize(FEATURES)
    assert (len(requests_s), busy.value.status) == (3, 503)
    transport, requests_s = scripted(*[httpx.ConnectError] * 9)
    with (
        Client("http://test", transport=transport, retries=1) as client,
        pytest.raises(LocalizerServiceError, match="2 tries"),
    ):
        client.localize(FEATURES)
    assert len(requests_s) == 2


def test_retry_after_is_honoured() -> None:
    """Retry-After may be seconds, a date or nonsense; the delay has jitter and a limit."""

    def delay(text: str | None, attempt: int = 0) -> float:
        headers = {} if text is None else {"Retry-After": text}
        return retry_delay_s(httpx.Response(503, headers=headers), attempt)

    assert 7 <= delay("7") <= 8.75
    assert delay("99999") == 30
    assert 3 < delay(email.utils.formatdate(time.time() + 5, usegmt=True)) <= 6.25
    assert delay(email.utils.formatdate(time.time() - 60, usegmt=True)) == 0
    for text in (None, "soon", "-3"):
        assert 0.125 <= delay(text) <= 0.25
        assert 1 <= delay(text, attempt=3) <= 2
        assert delay(text, attempt=50) <= 30


def test_another_server_is_an_error() -> None:
    """Status 200 with another body is no crash."""
    transport = httpx.MockTransport(lambda _: httpx.Response(200, text="<html>"))
    with (
        Client("http://test", transport=transport) as client,
        pytest.raises(LocalizerServiceError, match="did not answer as this service does"),
    ):
        client.localize(FEATURES)


JOB = {"id": "1", "state": "queued", "created": "2026-01-01T00:00:00Z", "progress": {}}


class JobService(httpx.BaseTransport, httpx.AsyncBaseTransport):
    """Loses the first upload, is busy at the second, and accepts the third."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self._states = iter(["queued", "running", "done"])

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Answers `Client`."""
        return self._answer(request, b"".join(request.stream))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Answers `AsyncClient`."""
        return self._answer(request, b"".join([part async for part in request.stream]))

    def _answer(self, request: httpx.Request, content: bytes) -> httpx.Response:
        if request.method == "GET":
            job = JOB | {"state": (state := next(self._states))}
            progress = {"snippets_done": 3, "snippets_expected": 4, "seconds_left": 0.5}
            done = {"result": ANSWER} if state == "done" else {"progress": progress}
            return httpx.Response(200, json=job | done)
        self.requests.append((str(request.url), request.headers["idempotency-key"], content))
        if len(self.requests) == 1:
            raise httpx.WriteError("connection lost")
        return httpx.Response(503) if len(self.requests) == 2 else httpx.Response(202, json=JOB)


def test_an_upload_that_breaks_off_is_sent_again_as_the_same_job(tmp_path: Path) -> None:
    """Each try sends the whole file under one key, and reports the progress of each part."""
    video = tmp_path / "video.mp4"
    video.write_bytes(bytes(range(256)) * 3000)
    reports: list[Progress] = []

    async def ask(transport: JobService) -> object:
        async with AsyncClient("http://test", transport=transport) as client:
            return await client.localize(video, on_progress=reports.append, min_score=0.2)

    for is_async in (False, True):
        reports.clear()
        transport = JobService()
        if is_async:
            answer = asyncio.run(ask(transport))
        else:
            with Client("http://test", transport=transport) as client:
                answer = client.localize(video, on_progress=reports.append, min_score=0.2)
        assert answer.snippets == 4
        assert len(transport.requests) == 3
        [(url, _, content)] = set(transport.requests)
        assert url == "http://test/jobs?min_score=0.2"
        assert content == video.read_bytes()
        sent = [progress.done for progress in reports if progress.stage == "upload"]
        assert sent == [262144, 524288, 768000] * 3
        assert reports[-1] == Progress("running", 3, 4, 0.5)


class Uploads(httpx.BaseTransport):
    """Receives uploads, and calls a function after the first part of the first one."""

    def __init__(self, disturb: Callable[[], object]) -> None:
        self.count = 0
        self._disturb = disturb

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Receives one."""
        self.count += 1
        for _ in request.stream:
            if self.count == 1:
                self._disturb()
        return httpx.Response(202, json=JOB | {"state": "done", "result": ANSWER})


@pytest.mark.parametrize(("is_longer", "words"), [(True, "grew"), (False, "shrank")])
def test_a_file_that_changes_while_it_is_sent_is_named(
    is_longer: bool, words: str, tmp_path: Path
) -> None:
    """It costs no other input, and is not sent again."""
    growing, whole = tmp_path / "growing.mp4", tmp_path / "whole.mp4"
    for path in (growing, whole):
        path.write_bytes(bytes(600_000))
    uploads = Uploads(lambda: growing.write_bytes(bytes(600_001 * is_longer)))
    with Client("http://test", transport=uploads) as client:
        bad, good = client.localize_many([growing, whole], concurrency=1)
    assert isinstance(bad, InputError)
    assert f"growing.mp4 {words} while it was sent, from 600000 bytes" in str(bad)
    assert isinstance(good, Localization)
    assert uploads.count == 2


def test_an_unexpected_error_costs_no_other_input() -> None:
    """It becomes an error of ours that keeps the cause; both clients go on."""

    class Broken:
        shape = (4, 8)

        def __array__(self) -> np.ndarray:
            raise MemoryError("too large")

    def answer(request: httpx.Request) -> httpx.Response:
        if request.headers["X-Shape"] == "5,8":
            raise OverflowError("port must be 0-65535")
        return httpx.Response(200, json=ANSWER)

    async def ask(sources: list[object]) -> list[object]:
        async with AsyncClient("http://test", transport=httpx.MockTransport(answer)) as client:
            return [found async for found in client.localize_many(sources)]

    sources = [Broken(), np.zeros((5, 8), np.float32), FEATURES]
    with Client("http://test", transport=httpx.MockTransport(answer)) as client:
        found = list(client.localize_many(sources))
    for outcomes in (found, asyncio.run(ask(sources))):
        assert "too large" in str(outcomes[0])
        assert isinstance(outcomes[1], LocalizerError)
        assert str(outcomes[1]) == "OverflowError: port must be 0-65535"
        assert isinstance(outcomes[1].__cause__, OverflowError)
        assert isinstance(outcomes[2], Localization)


def test_a_video_that_is_not_there_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """An absent file and a folder are both refused."""
    transport = httpx.MockTransport(lambda _: pytest.fail("a request was sent"))
    with Client("http://test", transport=transport) as client:
        for path in (tmp_path / "absent.mp4", tmp_path):
            with pytest.raises(InputError, match=r"cannot be read|is a folder"):
                client.localize(path)


@pytest.mark.parametrize("uri", ["https://example.org/a.mp4", "file:///a.mp4", "s3://b/a.mp4"])
def test_a_uri_is_named_and_not_read(uri: str) -> None:
    """The body has the URI and the options."""
    bodies: list[object] = []

    def answer(request: httpx.Request) -> httpx.Response:
        bodies.append(json.loads(request.content))
        return httpx.Response(202, json=JOB | {"state": "done", "result": ANSWER})

    with Client("http://test", transport=httpx.MockTransport(answer)) as client:
        assert client.localize(uri, max_segments=2, min_score=None).snippets == 4
    assert bodies == [{"video": {"uri": uri}, "max_segments": 2}]
