"""Log lines of requests, request ids, and streaming of bodies."""

import json
import logging
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecm_localizer import Client
from service.settings import Settings
from service.telemetry.log_format import JsonLines, TextLines

RAW = {"Content-Type": "application/octet-stream", "X-Shape": "40,8"}
TRACE = "0af7651916cd43dd8448eb211c80319c"


def lines(process) -> list[dict]:
    """Log of a service process; every line is JSON."""
    return [json.loads(line) for line in process.log.read_text().splitlines()]


def requests(process) -> list[dict]:
    return [line for line in lines(process) if line["event"] == "request"]


def logged_fields(caplog: pytest.LogCaptureFixture) -> dict:
    """Fields of the one request that a service in this process logs, after its response."""
    end_s = time.monotonic() + 10
    while not (told := [line.fields for line in caplog.records if hasattr(line, "fields")]):
        assert time.monotonic() < end_s, "no request was logged"
        time.sleep(0.01)
    assert len(told) == 1
    return told[0]


@pytest.fixture
def server(launch, repository: Path, tmp_path: Path):
    """A service that logs as JSON."""
    return launch("serve", repository=repository, data=tmp_path / "data", log_format="json")


def test_each_request_is_one_line(server, features_TD: np.ndarray) -> None:
    """Its fields describe the request; probes and uvicorn add no lines."""
    sent = {"X-Request-ID": "mine 1", "traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
    body = features_TD.tobytes()
    answer = httpx.post(f"{server.url}/localize", content=body, headers=RAW | sent)
    assert answer.headers["x-request-id"] == "mine 1"
    httpx.get(f"{server.url}/models/nothing")
    httpx.get(f"{server.url}/health/ready")
    httpx.get(f"{server.url}/metrics")
    first, second = requests(server)
    assert first.pop("duration_ms") > 0
    assert first.pop("time")
    assert first == {
        "level": "info", "logger": "service.telemetry.observation", "event": "request",
        "request_id": "mine 1", "method": "POST", "path": "/localize", "status": 200,
        "bytes_in": len(body), "snippets": 40, "model": "small/1", "trace_id": TRACE,
    }  # fmt: skip
    assert (second["path"], second["status"]) == ("/models/{name}", 404)
    assert "trace_id" not in second
    assert not any("uvicorn.access" in line["logger"] for line in lines(server))


@pytest.mark.parametrize("given", ["", "a" * 129, "a\tb", "naïve", None])
def test_an_invalid_id_is_replaced(url: str, given: str | None) -> None:
    """An id that is too long, empty or not printable ASCII gives a new id each time."""
    headers = {} if given is None else {"X-Request-ID": given.encode("latin-1")}
    made = [httpx.get(f"{url}/health", headers=headers).headers["x-request-id"] for _ in range(2)]
    assert len(set(made)) == 2
    assert all(len(id_) == 32 and id_ != given for id_ in made)


@pytest.mark.parametrize("parent", ["", "00-0-0-00", f"00-{'0' * 32}-b7ad6b7169203331-01",
                                    f"ff-{TRACE}-b7ad6b7169203331-01", TRACE])  # fmt: skip
def test_a_broken_traceparent_is_left_out(
    url: str, parent: str, caplog: pytest.LogCaptureFixture
) -> None:
    """W3C trace context defines validity."""
    with caplog.at_level(logging.INFO):
        httpx.get(f"{url}/models", headers={"traceparent": parent})
        assert "trace_id" not in logged_fields(caplog)


def test_every_response_has_the_id(url: str) -> None:
    """Errors and early refusals also have it."""
    long = b"x" * 100_001
    sent = {"X-Request-ID": "abc"}
    for method, path, content, status in (
        ("GET", "/nothing", None, 404),
        ("PUT", "/localize", None, 405),
        ("POST", "/localize", long, 413),
        ("POST", "/localize", iter([long]), 413),
        ("POST", "/localize", b"{", 400),
        ("POST", "/v2/models/small/infer", b"{", 400),
        ("GET", "/models/", None, 404),
    ):
        headers = sent | {"Content-Type": "application/json"}
        answer = httpx.request(method, f"{url}{path}", content=content, headers=headers)
        assert (answer.status_code, answer.headers.get_list("x-request-id")) == (status, ["abc"])


def test_an_internal_error_has_the_id(
    url: str, features_TD: np.ndarray, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """The response is 500 with the id; the log has the status, and the traceback once."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr("service.localize.answer.predict_video", fail)
    with caplog.at_level(logging.INFO):
        answer = httpx.post(
            f"{url}/localize", content=features_TD.tobytes(), headers=RAW | {"X-Request-ID": "abc"}
        )
        fields = logged_fields(caplog)
    assert (answer.status_code, answer.headers["x-request-id"]) == (500, "abc")
    assert answer.json()["type"] == "urn:ecm-localizer:internal"
    assert (fields["status"], fields["path"]) == (500, "/localize")
    assert sum(record.name == "service.errors" for record in caplog.records) == 1


def test_an_upload_is_streamed_to_the_disk(service, film, tmp_path: Path) -> None:
    """The first part is on the disk before the rest is sent; bytes are counted."""
    padding_bytes = 4 * 1024**2
    content = film(tmp_path / "film.mp4", np.arange(50) / 25).read_bytes()
    content += padding_bytes.to_bytes(4) + b"free" + bytes(padding_bytes - 8)
    half = len(content) // 2

    def parts() -> Iterator[bytes]:
        yield content[:half]
        end_s = time.monotonic() + 10
        while not any(path.stat().st_size for path in (tmp_path / "data/incoming").iterdir()):
            assert time.monotonic() < end_s, "nothing is on the disk"
            time.sleep(0.01)
        yield content[half:]

    headers = {"Content-Type": "video/mp4"}
    answer = httpx.post(f"{service.url}/localize", content=parts(), headers=headers, timeout=60)
    assert answer.status_code == 200
    end_s = time.monotonic() + 10
    while "status=200" not in (told := service.log.read_text()):
        assert time.monotonic() < end_s, "the end of the request is not told"
        time.sleep(0.01)
    assert f"bytes_in={len(content)} snippets={answer.json()['snippets']} model=" in told
    assert 'model="moves/1" job="' in told


def test_events_of_a_job_are_streamed(launch, film, motion_repository, tmp_path: Path) -> None:
    """The first one arrives while the job waits; a disconnect is logged."""
    server = launch(
        "serve", repository=motion_repository, data=tmp_path / "data", jobs=0, log_format="json"
    )
    with Client(server.url) as client:
        job = client.submit_video(film(tmp_path / "film.mp4", np.arange(50) / 25))
    with httpx.stream("GET", f"{server.url}/jobs/{job.id}/events") as events:
        assert events.headers["x-request-id"]
        assert "event: queued" in next(events.iter_text())
    end_s = time.monotonic() + 10
    while requests(server)[-1]["path"] != "/jobs/{id_}/events":
        assert time.monotonic() < end_s, "the end of the events is not told"
        time.sleep(0.05)
    assert requests(server)[0]["job"] == job.id


def test_a_disconnect_is_logged(server) -> None:
    """An incomplete body gives one log line and no error."""
    with socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"POST /localize HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n"
                       b"Content-Type: application/x-npy\r\n\r\nabc")  # fmt: skip
    end_s = time.monotonic() + 10
    while not requests(server):
        assert time.monotonic() < end_s, "no request was logged"
        time.sleep(0.05)
    (told,) = requests(server)
    assert (told["status"], told["bytes_in"]) == (499, 3)


def test_both_formats_contain_fields_and_traceback() -> None:
    """One record is always one line of JSON, whatever its message."""
    record = logging.LogRecord("a", logging.INFO, "", 0, "two\nlines \udce9 %s", ("x",), None)
    record.fields = {"path": 'a "b"', "status": 200}
    told = JsonLines().format(record)
    assert "\n" not in told
    assert {
        name: value
        for name, value in json.loads(told).items()
        if name in ("event", "path", "status")
    } == {"event": "two\nlines \udce9 x", "path": 'a "b"', "status": 200}
    assert (
        TextLines()
        .format(record)
        .endswith('INFO a two\nlines \udce9 x path="a \\"b\\"" status=200')
    )


def test_log_format_is_text_by_default() -> None:
    """The first log of a new user is on a terminal."""
    assert Settings.model_fields["log_format"].default == "text"
