"""Clients of HTTP/1.0, such as a proxy with its default settings."""

import json
import socket
from pathlib import Path

import httpx
import numpy as np
import pytest


@pytest.fixture(scope="module")
def process(launch_for_module, motion_repository: Path, tmp_path_factory: pytest.TempPathFactory):
    """A service for videos."""
    data = tmp_path_factory.mktemp("data")
    return launch_for_module("serve", repository=motion_repository, data=data, wait_s=0)


def ask(port: int, path: str, *headers: str) -> tuple[str, bytes]:
    """Returns head and body of a response, which ends with the connection."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
        lines = (f"GET {path} HTTP/1.0", "Host: a", *headers, "", "")
        connection.sendall("\r\n".join(lines).encode())
        whole = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = whole.partition(b"\r\n\r\n")
    return head.decode().lower(), body


def test_a_stream_has_no_chunks(process, film, tmp_path: Path) -> None:
    """The events of a job arrive as they are, even if the client would keep the connection."""
    video = film(tmp_path / "a.mp4", np.arange(50) / 25).read_bytes()
    sent = httpx.post(f"{process.url}/jobs", content=video, headers={"Content-Type": "video/mp4"})
    path = f"{sent.headers['location']}/events"
    head, body = ask(process.port, path, "Connection: keep-alive")
    assert "transfer-encoding" not in head
    assert "connection: close" in head
    assert body.startswith(b"event: ")
    assert b"event: done" in body


def test_a_response_with_a_length_is_whole(process) -> None:
    """The length is the one that HTTP/1.1 has."""
    head, body = ask(process.port, "/health")
    assert f"content-length: {len(body)}" in head
    assert json.loads(body)["status"] == "ok"
