"""Requests that carry features or a video.

Axes: T snippets, D feature channels.
"""

import asyncio
import mimetypes
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import quote
from uuid import uuid4

import httpx
import numpy as np

from ecm_client.errors import InputError
from ecm_client.inputs import Features, VideoFile, VideoUri
from ecm_client.options import OnProgress, Progress

Http: TypeAlias = httpx.Client | httpx.AsyncClient

_PART_BYTES = 256 * 1024


def features_request(
    http: Http, features: Features, options: Mapping[str, object]
) -> httpx.Request:
    """Returns the request that localizes features, sent as raw bytes: the fastest form."""
    values_TD = features.values_TD
    dtype = "float16" if values_TD.dtype == np.float16 else "float32"
    body = np.ascontiguousarray(values_TD, dtype=np.dtype(dtype).newbyteorder("<"))
    headers = {
        "Content-Type": "application/octet-stream",
        "X-Shape": ",".join(map(str, body.shape)),
        "X-Dtype": dtype,
    }
    return http.build_request(
        "POST", "/localize", params=_query(options), headers=headers, content=body.tobytes()
    )


def video_request(
    http: Http, video: VideoFile | VideoUri, options: Mapping[str, object], on_progress: OnProgress
) -> httpx.Request:
    """Returns the request that submits a video.

    It has an Idempotency-Key, so that sending it again makes no second job.
    """
    key = {"Idempotency-Key": str(uuid4())}
    if isinstance(video, VideoUri):
        body = {"video": {"uri": video.uri}, **_given(options)}
        return http.build_request("POST", "/jobs", headers=key, json=body)
    stream = VideoUpload(video.path, on_progress)
    guessed, _ = mimetypes.guess_type(video.path.name)
    media_type = guessed if guessed and guessed.startswith("video/") else "video/unknown"
    headers = {
        **key,
        "Content-Type": media_type,
        "Content-Length": str(stream.length),
        "X-File-Name": quote(video.path.name, safe="", errors="replace"),
    }
    request = http.build_request("POST", "/jobs", params=_query(options), headers=headers)
    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        extensions=request.extensions,
        stream=stream,
    )


class VideoUpload(httpx.SyncByteStream, httpx.AsyncByteStream):
    """A file as the body of a request, read in parts, and from its start at every try."""

    def __init__(self, path: Path, on_progress: OnProgress) -> None:
        self._path = path
        self._on_progress = on_progress
        self.length = path.stat().st_size

    def __iter__(self) -> Iterator[bytes]:
        sent = 0
        for part in self._parts():
            yield part
            sent += len(part)
            self._on_progress(Progress("upload", sent, self.length))

    async def __aiter__(self) -> AsyncIterator[bytes]:
        sent = 0
        parts = self._parts()
        while (part := await asyncio.to_thread(next, parts, None)) is not None:
            yield part
            sent += len(part)
            self._on_progress(Progress("upload", sent, self.length))

    def _parts(self) -> Iterator[bytes]:
        """Yields the file, which must not change meanwhile.

        Raises:
            InputError: the file cannot be read, or is longer or shorter than at the beginning.
        """
        left_bytes = self.length
        try:
            with self._path.open("rb") as file:
                while part := file.read(_PART_BYTES):
                    left_bytes -= len(part)
                    if left_bytes < 0:
                        break
                    yield part
        except OSError as error:
            raise InputError(f"{self._path} cannot be read: {error.strerror}") from error
        if left_bytes:
            change = "grew" if left_bytes < 0 else "shrank"
            raise InputError(
                f"{self._path} {change} while it was sent, from {self.length} bytes; send it again "
                "when it is complete"
            )


def _given(options: Mapping[str, object]) -> dict[str, object]:
    return {name: value for name, value in options.items() if value is not None}


def _query(options: Mapping[str, object]) -> dict[str, str]:
    return {name: str(value) for name, value in _given(options).items()}
