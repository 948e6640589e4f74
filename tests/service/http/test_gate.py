"""The gate: bodies that are too long are refused before they are read."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from service.http.admission import Admission, Bounds
from service.http.body import BodyLimits
from service.http.buffers import Buffers
from service.http.gate import Gate

LIMITS = BodyLimits(max_bytes=100, max_video_bytes=1000, longest_s=1, stall_s=1, min_bytes_per_s=0)


def status(
    path: str,
    media_type: str,
    length: int,
    *,
    serves_videos: bool = True,
    root_path: str = "",
    has_shape: bool = False,
) -> tuple[int, int]:
    """Returns the status of a request, and the places in the queue that it took."""
    admission = Admission(Bounds(1, 1, 1.0, 10**6, 1), Buffers(0))
    places = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        places.append(admission.requests)
        await send({"type": "http.response.start", "status": 200, "headers": []})

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        raise AssertionError

    headers = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % length)]
    if has_shape:
        headers.append((b"x-shape", b"5,5"))
    scope: dict[str, Any] = {
        "type": "http", "method": "POST", "path": root_path + path, "root_path": root_path,
        "headers": headers, "state": {},
    }  # fmt: skip
    gate = Gate(app, admission, LIMITS, lambda: serves_videos)
    asyncio.run(gate(scope, receive, send))
    return sent[0]["status"], sum(places)


@pytest.mark.parametrize("media_type", ["application/json", "application/octet-stream", ""])
def test_features_keep_their_limit_in_a_service_that_takes_videos(media_type: str) -> None:
    """Only videos and forms may be longer."""
    assert status("/localize", media_type, 100, has_shape=True) == (200, 1)
    assert status("/localize", media_type, 101, has_shape=True) == (413, 0)


@pytest.mark.parametrize(
    "media_type", ["video/mp4", "Multipart/form-data; boundary=b", "application/octet-stream"]
)
def test_videos_have_a_limit_of_their_own(media_type: str) -> None:
    """A body that may be a video takes no place in the queue before it is known."""
    assert status("/localize", media_type, 1000) == (200, 0)
    assert status("/localize", media_type, 1001) == (413, 0)
    assert status("/localize", media_type, 101, serves_videos=False) == (413, 0)
    assert status("/v2/models/a/infer", media_type, 101) == (413, 0)


def test_paths_below_a_prefix_are_recognized() -> None:
    """The service may be mounted below a path of a proxy."""
    assert status("/localize", "application/json", 1, root_path="/ecm") == (200, 1)
