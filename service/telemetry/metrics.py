"""Prometheus metrics: counts and durations of requests, jobs and models.

Label values come from short lists (route templates, stages, models) and never from a client, so
that clients cannot create time series. Each app has its own registry, so that several apps can
share a process.
"""

from collections.abc import Iterator, Mapping
from typing import Final

from anyio import CapacityLimiter
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.http.admission import Admission
from service.http.request_record import RequestRecord
from service.models.catalog import Catalog
from service.telemetry.gpu_metrics import GpuCollector

JOB: Final = "job"
"""Label `path` of the stages that run in a job."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_SNIPPETS = (10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000)
_BATCHES = (1, 2, 4, 8, 16, 32, 64)
_SEGMENTS = (0, 1, 3, 10, 30, 100, 300, 1_000)


class _Models(Collector):
    """Reports the models at the time of the scrape, because models come and go."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def collect(self) -> Iterator[Metric]:
        """Yields the metric `ecm_model_info`."""
        models = GaugeMetricFamily(
            "ecm_model_info", "Model versions; always 1.", labels=["name", "version", "state"]
        )
        states = [(entry.published, entry.state) for entry in self._catalog.entries]
        draining = {engine.published for engine in self._catalog.draining}
        for published, state in [*states, *((published, "draining") for published in draining)]:
            models.add_metric([published.name, str(published.version), state], 1)
        yield models


class Metrics:
    """Counters and histograms; other parts of the service report events by calling its methods."""

    def __init__(self, catalog: Catalog) -> None:
        """Starts all counters at zero.

        Args:
            catalog: the served models.
        """
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._count_requests()
        self._count_jobs()
        self.registry.register(_Models(catalog))
        self.registry.register(GpuCollector(catalog))

    def _count_requests(self) -> None:
        registry = self.registry
        self._requests = Counter(
            "ecm_requests",
            "Completed requests.",
            ["method", "path", "status"],
            registry=registry,
        )
        self._stages_s = Histogram(
            "ecm_stage_seconds",
            "Duration of each stage of a request.",
            ["path", "stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._computing = Gauge(
            "ecm_requests_computing", "Requests being computed.", registry=registry
        )
        self._waiting = Gauge(
            "ecm_requests_waiting", "Requests waiting for a slot.", registry=registry
        )
        self._expected_wait_s = Gauge(
            "ecm_expected_wait_seconds",
            "Expected wait of one more request.",
            registry=registry,
        )
        self._memory_bytes = Gauge(
            "ecm_admitted_memory_bytes",
            "Memory reserved for the bodies of requests in flight.",
            registry=registry,
        )
        self._batches = Histogram(
            "ecm_batch_videos", "Videos in a batch.", buckets=_BATCHES, registry=registry
        )
        self._snippets = Histogram(
            "ecm_localized_snippets", "Snippets in a video.", buckets=_SNIPPETS, registry=registry
        )
        self._segments = Histogram(
            "ecm_localized_segments",
            "Segments found in a video.",
            buckets=_SEGMENTS,
            registry=registry,
        )

    def _count_jobs(self) -> None:
        registry = self.registry
        self._jobs = Gauge("ecm_jobs", "Unfinished jobs.", ["state"], registry=registry)
        self._finished = Counter(
            "ecm_jobs_finished", "Jobs that this process finished.", ["outcome"], registry=registry
        )
        self._extraction_s = Counter(
            "ecm_extraction_seconds",
            "Time spent extracting features from videos.",
            registry=registry,
        )
        self._extracted = Counter(
            "ecm_extracted_snippets", "Snippets whose features were extracted.", registry=registry
        )
        self._lookups = Counter(
            "ecm_feature_cache_lookups",
            "Lookups of a video in the feature cache.",
            ["result"],
            registry=registry,
        )
        for outcome in ("done", "failed", "cancelled"):
            self._finished.labels(outcome)
        for result in ("hit", "miss"):
            self._lookups.labels(result)

    def watch(self, admission: Admission, limiter: CapacityLimiter) -> None:
        """Reports the load from now on: the slots in use, the queue, and the reserved memory."""
        self._computing.set_function(lambda: limiter.borrowed_tokens)
        self._waiting.set_function(lambda: limiter.statistics().tasks_waiting)
        self._expected_wait_s.set_function(admission.expected_wait_s)
        self._memory_bytes.set_function(lambda: admission.memory_bytes)

    def batched(self, videos: int) -> None:
        """Counts one run of the network on a batch of videos."""
        self._batches.observe(videos)

    def answered(self, record: RequestRecord, elapsed_s: float) -> None:
        """Counts a completed request and its stages."""
        method = record.method if record.method in _METHODS else "other"
        self._requests.labels(method, record.path, record.status).inc()
        self._observe(record.path, {**record.stages_s, "total": elapsed_s})

    def localized(self, snippets: int, segments: int) -> None:
        """Counts a localized video."""
        self._snippets.observe(snippets)
        self._segments.observe(segments)

    def localized_job(self, snippets: int, segments: int, stages_s: Mapping[str, float]) -> None:
        """Counts the localized video of a job and the duration of each stage."""
        self.localized(snippets, segments)
        self._observe(JOB, stages_s)

    def extracted(self, snippets: int, elapsed_s: float) -> None:
        """Counts snippets whose features were extracted, and the time."""
        self._extracted.inc(snippets)
        self._extraction_s.inc(elapsed_s)

    def looked_up(self, *, hit: bool) -> None:
        """Counts a lookup in the feature cache."""
        self._lookups.labels("hit" if hit else "miss").inc()

    def finished_job(self, outcome: str) -> None:
        """Counts a job that is done, failed or cancelled."""
        self._finished.labels(outcome).inc()

    def exposition(self, jobs: Mapping[str, int]) -> bytes:
        """Returns all metrics in the Prometheus text format.

        Args:
            jobs: number of unfinished jobs by state; empty if unknown.
        """
        self._jobs.clear()
        for state, count in jobs.items():
            self._jobs.labels(state).set(count)
        return generate_latest(self.registry)

    def _observe(self, path: str, stages_s: Mapping[str, float]) -> None:
        for stage, elapsed_s in stages_s.items():
            self._stages_s.labels(path, stage).observe(elapsed_s)
