"""The record of one request, from which its log line, metrics and spans are made."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import Final
from uuid import uuid4

from starlette.types import Scope

REQUEST_ID: Final = "X-Request-ID"
OTHER: Final = "other"
"""Path in the records of requests that match no route."""

_VALID_ID = re.compile(r"[ -~]{1,128}")
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-"
                           r"[0-9a-f]{2}(-.*)?")  # fmt: skip


@dataclass(slots=True)
class RequestRecord:
    """One request, filled in while it is handled."""

    id: str
    """Request id: the header X-Request-ID, or a new id."""
    method: str
    """HTTP method."""
    trace: dict[str, str] = field(default_factory=dict)
    """Headers of the W3C trace context; empty unless they are valid."""
    trace_id: str | None = None
    """Id of the request's trace."""
    path: str = OTHER
    """Template of the request's route."""
    status: int = 0
    """Status of the response; 0 until the response begins."""
    received_bytes: int = 0
    """Bytes of the body that were read."""
    model: str | None = None
    """Model that ran, as NAME/VERSION."""
    snippets: int | None = None
    """Snippets of the video."""
    job: str | None = None
    """Id of the job that the request created."""
    stages_s: dict[str, float] = field(default_factory=dict)
    """Duration of each stage, in order."""
    began_s: float = field(default_factory=perf_counter)
    """Start of the request on the monotonic clock."""
    began_ns: int = field(default_factory=time_ns)
    """Start of the request, in nanoseconds since 1970."""

    def receive(self, length: int, *, more: bool) -> None:
        """Counts a part of the body; the last part ends the stage `receive`."""
        self.received_bytes += length
        if not more and self.received_bytes:
            self.stages_s.setdefault("receive", perf_counter() - self.began_s)

    def computed(self, model: str, snippets: int, stages_s: Mapping[str, float]) -> None:
        """Records the model (NAME/VERSION), the video's length, and the duration of each stage."""
        self.model, self.snippets = model, snippets
        self.stages_s.update(stages_s)

    def fields(self, elapsed_s: float) -> dict[str, object]:
        """Returns the fields of the log line, without those that have no value."""
        fields = {
            "request_id": self.id,
            "method": self.method,
            "path": self.path,
            "status": self.status,
            "duration_ms": round(1e3 * elapsed_s, 3),
            "bytes_in": self.received_bytes,
            "snippets": self.snippets,
            "model": self.model,
            "job": self.job,
            "trace_id": self.trace_id,
        }
        return {name: value for name, value in fields.items() if value is not None}


def begin_record(scope: Scope) -> RequestRecord:
    """Returns the record of a request whose headers have just arrived."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    id_ = headers.get(b"x-request-id", b"").decode("latin-1")
    record = RequestRecord(id_ if _VALID_ID.fullmatch(id_) else uuid4().hex, scope["method"])
    parent = headers.get(b"traceparent", b"").decode("latin-1")
    if match := _TRACE_PARENT.fullmatch(parent):
        state = headers.get(b"tracestate", b"").decode("latin-1")
        record.trace = {"traceparent": parent, "tracestate": state}
        record.trace_id = match[1]
    return record
