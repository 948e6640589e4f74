"""What is told of a request when it is over: in the log, to Prometheus and as spans."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import perf_counter, time_ns
from typing import Final
from uuid import uuid4

from starlette.types import Scope

REQUEST_ID: Final = "X-Request-ID"
OTHER: Final = "other"
"""Stands for the path of requests that no route takes."""

_SANE_ID = re.compile(r"[ -~]{1,128}")
_TRACE_PARENT = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-"
                           r"[0-9a-f]{2}(-.*)?")  # fmt: skip


@dataclass(slots=True)
class RequestRecord:
    """One request; filled in while it is answered."""

    id: str
    """From its header, or made."""
    method: str
    """As it came."""
    trace: dict[str, str] = field(default_factory=dict)
    """Headers of W3C trace context, if they are valid."""
    trace_id: str | None = None
    """Of the trace that it belongs to."""
    path: str = OTHER
    """Template of its route."""
    status: int = 0
    """Of the answer; 0 until that begins."""
    received_bytes: int = 0
    """Length of the body, as far as it was read."""
    model: str | None = None
    """NAME/VERSION of the model that answered."""
    snippets: int | None = None
    """Of the video."""
    job: str | None = None
    """Id of the job that it became."""
    stages_s: dict[str, float] = field(default_factory=dict)
    """How long its stages took, in their order."""
    began_s: float = field(default_factory=perf_counter)
    """Monotonic time."""
    began_ns: int = field(default_factory=time_ns)
    """Time of day, since 1970."""

    def receive(self, length: int, *, more: bool) -> None:
        """Counts a part of the body."""
        self.received_bytes += length
        if not more and self.received_bytes:
            self.stages_s.setdefault("receive", perf_counter() - self.began_s)

    def computed(self, model: str, snippets: int, stages_s: Mapping[str, float]) -> None:
        """Notes by which model a video of how many snippets was computed, and how long it took."""
        self.model, self.snippets = model, snippets
        self.stages_s.update(stages_s)

    def fields(self, elapsed_s: float) -> dict[str, object]:
        """Returns what the log tells, without what is not known."""
        told = {
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
        return {name: value for name, value in told.items() if value is not None}


def begin_record(scope: Scope) -> RequestRecord:
    """Returns the record of a request that just came."""
    headers: dict[bytes, bytes] = dict(scope["headers"])
    id_ = headers.get(b"x-request-id", b"").decode("latin-1")
    record = RequestRecord(id_ if _SANE_ID.fullmatch(id_) else uuid4().hex, scope["method"])
    parent = headers.get(b"traceparent", b"").decode("latin-1")
    if match := _TRACE_PARENT.fullmatch(parent):
        state = headers.get(b"tracestate", b"").decode("latin-1")
        record.trace = {"traceparent": parent, "tracestate": state}
        record.trace_id = match[1]
    return record
