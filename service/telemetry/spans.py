"""OpenTelemetry spans of requests and their stages; needs the extra `otel`."""

import os
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from service.http.request_record import RequestRecord

_CALLER: Final = TraceContextTextMapPropagator()


class OtelSpans:
    """Exports one span for each request, with a child span for each stage.

    Spans are created when the request is complete, so the code that handles it is free of tracing.
    """

    def __init__(self) -> None:
        """Connects to the endpoint in the environment variables OTEL_EXPORTER_OTLP_*."""
        name = os.environ.get("OTEL_SERVICE_NAME", "ecm-localizer")
        self._provider = TracerProvider(resource=Resource.create({SERVICE_NAME: name}))
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("ecm-localizer")

    def write(self, record: RequestRecord, elapsed_s: float) -> str:
        """Exports a completed request and returns the id of its trace."""
        span = self._tracer.start_span(
            f"{record.method} {record.path}",
            context=_CALLER.extract(record.trace),
            kind=SpanKind.SERVER,
            attributes=_attributes(record),
            start_time=record.began_ns,
        )
        self._write_stages(record, span)
        if record.status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        span.end(record.began_ns + _ns(elapsed_s))
        return trace.format_trace_id(span.get_span_context().trace_id)

    def close(self) -> None:
        """Sends the remaining spans."""
        self._provider.shutdown()

    def _write_stages(self, record: RequestRecord, span: trace.Span) -> None:
        inside, begin_ns = trace.set_span_in_context(span), record.began_ns
        for stage, stage_s in record.stages_s.items():  # each begins at the end of the one before
            end_ns = begin_ns + _ns(stage_s)
            self._tracer.start_span(stage, context=inside, start_time=begin_ns).end(end_ns)
            begin_ns = end_ns


def _attributes(record: RequestRecord) -> dict[str, str | int]:
    """Returns the attributes of OpenTelemetry's HTTP conventions, and our own `ecm.*`."""
    attributes: dict[str, str | int | None] = {
        "http.request.method": record.method,
        "http.route": record.path,
        "http.response.status_code": record.status,
        "http.request.body.size": record.received_bytes,
        "ecm.request_id": record.id,
        "ecm.model": record.model,
        "ecm.snippets": record.snippets,
        "ecm.job": record.job,
    }
    return {name: value for name, value in attributes.items() if value is not None}


def _ns(seconds: float) -> int:
    return round(1e9 * seconds)
