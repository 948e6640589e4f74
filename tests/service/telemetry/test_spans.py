"""Spans of requests, received by a collector in the test."""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import numpy as np
import pytest

from service.process.serving import open_spans

pytest.importorskip("opentelemetry.sdk", reason="the extra otel is not installed")
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
RAW = {"Content-Type": "application/octet-stream", "X-Shape": "40,8"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[list]:
    """A collector at OTEL_EXPORTER_OTLP_ENDPOINT; returns the received spans."""
    spans = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
                spans.extend(span for scope in resource.scope_spans for span in scope.spans)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Suppresses the access log."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        address = f"http://127.0.0.1:{server.server_port}"
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", address)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "none")
        yield spans
        server.shutdown()
        thread.join()


def test_a_request_and_its_stages_are_spans(
    collector: list, launch, repository: Path, features_TD: np.ndarray, tmp_path: Path
) -> None:
    """The request is a child of the caller's span; its stages are its children, in order."""
    service = launch("serve", repository=repository, data=tmp_path / "data")
    headers = RAW | {"traceparent": f"00-{TRACE}-{PARENT}-01"}
    httpx.post(f"{service.url}/localize", content=features_TD.tobytes(), headers=headers)
    httpx.get(f"{service.url}/models")
    service.stop()
    (request,) = (span for span in collector if span.name == "POST /localize")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    stages = [span for span in collector if span.parent_span_id == request.span_id]
    assert [span.name for span in stages] == [
        "receive", "wait", "parse", "inference", "localization",
    ]  # fmt: skip
    ends_ns = [request.start_time_unix_nano] + [span.end_time_unix_nano for span in stages]
    assert [span.start_time_unix_nano for span in stages] == ends_ns[:-1]
    assert ends_ns[-1] <= request.end_time_unix_nano
    (other,) = (span for span in collector if span.name == "GET /models")
    assert not other.parent_span_id
    assert f'trace_id="{TRACE}"' in service.log.read_text()
    assert f'trace_id="{other.trace_id.hex()}"' in service.log.read_text()


def test_without_an_endpoint_nothing_is_imported(repository: Path) -> None:
    """OTEL_EXPORTER_OTLP_ENDPOINT turns spans on."""
    code = (
        "import sys; from service.process.serving import open_spans; assert open_spans() is None; "
        "assert not any(name.startswith('opentelemetry.sdk') for name in sys.modules)"
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("OTEL_")}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)


def test_without_the_extra_the_service_warns(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It still serves requests."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1")
    monkeypatch.delitem(sys.modules, "service.telemetry.spans", raising=False)
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.resources", None)
    assert open_spans() is None
    assert "install -c constraints.txt '.[otel]'" in caplog.text
