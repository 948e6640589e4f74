"""`python -m service serve` on the GPU: under load, while it reloads, at its deadline.

Axes: T snippets, D feature channels.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from serving.load import Window, drive, request_bytes

from gpu_parts import models
from gpu_parts.batching import memories, videos_per_s
from gpu_parts.bench import Bench, Device
from gpu_parts.card import used_bytes
from model.predict import predict_video
from model.segments import Segment
from reliability.server import Target, server, wait_until

_CEILING_VIDEOS = 16
"""Videos of a batch in the engine's own rate; the service's default on a GPU."""
_APART_S, _SCORE_APART = 0.01, 0.01
"""Segments agree when neither their ends nor their scores are further apart."""
_LEAST_AGREEING = 0.99
"""Share of the CPU's segments: one whose peak just reaches a threshold may be missing."""
_RELOAD_S = 30.0
"""Longest time until a new version is served."""
_REQUEST_S = 60.0
_LATE = "urn:ecm-localizer:deadline-exceeded"


def run(bench: Bench) -> None:
    """Runs the part."""
    folder = bench.scratch / "service"
    folder.mkdir()
    models.publish_copy(models.repository(bench), folder / "models")
    used_before_bytes = used_bytes(bench.device)
    with started(bench.device, folder / "models", folder, versions='{"*": "newest"}') as target:
        for step in (segments_equal_those_of_the_cpu, load, deadline, metrics, reload_under_load):
            bench.step(step.__name__.replace("_", " "), step, target)
        taken_bytes = used_bytes(bench.device) - used_before_bytes
        bench.figure("GPU memory of the service", taken_bytes / 2**30, "GiB")


@contextmanager
def started(device: Device, repository: Path, folder: Path, **flags: object) -> Iterator[Target]:
    """Runs the service; on CUDA it has to compute there.

    Args:
        device: where it computes.
        repository: its models.
        folder: for its data and its log.
        flags: of `serve`, as max_batch=2.
    """
    required = str(device == "cuda").lower()
    given = {"device": device, "require_cuda": required, "jobs": 0, "reload_s": 0.3, **flags}
    with server(repository, folder, **given) as target:
        yield target


@dataclass(frozen=True, slots=True)
class Answer:
    """Response of the service to features."""

    status: int
    """HTTP status."""
    type: str
    """Type of the problem; empty without a problem."""
    segments: tuple[Segment, ...]
    """Segments of the response."""


def ask(target: Target, features_TD: np.ndarray, **headers: str) -> Answer:
    """Returns the answer to features in float32."""
    shape = ",".join(map(str, features_TD.shape))
    headers = {"Content-Type": "application/octet-stream", "X-Shape": shape, **headers}
    response = httpx.post(f"{target.url}/localize", content=features_TD.tobytes(),
                          headers=headers, timeout=_REQUEST_S)  # fmt: skip
    told = response.json()
    segments = tuple(Segment(s["start_s"], s["end_s"], s["label"], s["score"])
                     for s in told.get("segments", ()))  # fmt: skip
    return Answer(response.status_code, told.get("type", ""), segments)


def segments_equal_those_of_the_cpu(bench: Bench, target: Target) -> None:
    """Compares the service's segments with those of the network on the CPU."""
    features_TD = models.random_features(bench.sizes.snippets, bench.sizes.feature_dim)
    engine = models.open_model(bench, "float32", "cpu")
    duration_s = len(features_TD) * (engine.spec.snippet_s or 1)
    expected = predict_video(engine, features_TD, engine.spec, duration_s=duration_s).segments
    answer = ask(target, features_TD)
    bench.equal("status of an answer", answer.status, 200)
    bench.at_least("segments on the CPU", len(expected), 1)
    agreeing = agreement(answer.segments, expected)
    bench.at_least("share of them that the service finds", agreeing, _LEAST_AGREEING)
    bench.at_most("segments more than on the CPU", len(answer.segments) - len(expected),
                  (1 - _LEAST_AGREEING) * len(expected))  # fmt: skip


def agreement(found: tuple[Segment, ...], expected: list[Segment]) -> float:
    """Returns the share of the expected segments that were found."""
    same = sum(any(_agree(one, other) for other in found) for one in expected)
    return same / max(1, len(expected))


def _agree(one: Segment, other: Segment) -> bool:
    ends_s = abs(one.start_s - other.start_s), abs(one.end_s - other.end_s)
    scores = abs(one.score - other.score)
    return one.label == other.label and max(ends_s) <= _APART_S and scores <= _SCORE_APART


def load(bench: Bench, target: Target) -> None:
    """Reports rate and latencies for each number of clients, beside the network's own rate."""
    sizes = bench.sizes
    features_TD = models.random_features(sizes.snippets, sizes.feature_dim)
    request = _request(features_TD)
    ceiling = _ceiling(bench)
    bench.figure("the network alone", ceiling, "videos/s")
    bench.figure("length of a body", features_TD.nbytes / 1e6, "MB")
    for clients in sizes.clients:
        window = drive(target.port, request, clients, sizes.window_s, lambda: None)
        name = f"{clients} client{'s' * (clients > 1)}"
        bench.figure(f"{name}", window.rate, "requests/s")
        bench.figure(f"{name}, share of the network alone", 100 * window.rate / ceiling, "%")
        for share in (50, 99):
            latency_ms = window.percentile_ms(share)
            bench.figure(f"{name}, p{share}", latency_ms or float("nan"), "ms")
        bench.equal(f"{name}, failed", window.failed, 0, "requests")
        memory_gib = used_bytes(bench.device) / 2**30
        bench.figure(f"{name}, memory in use on the card", memory_gib, "GiB")


def _request(features_TD: np.ndarray) -> bytes:
    shape = ",".join(map(str, features_TD.shape))
    headers = {"Content-Type": "application/octet-stream", "X-Shape": shape}
    return request_bytes(features_TD.tobytes(), headers)


def _ceiling(bench: Bench) -> float:
    """Returns the network's own rate in the service's batches, from the best memory there is."""
    sizes = bench.sizes
    size = _CEILING_VIDEOS if bench.device == "cuda" else 1
    videos_BTD = models.random_features(2 * size, sizes.snippets, sizes.feature_dim)
    *_, (_, memory) = memories(videos_BTD.size)
    engine = models.open_model(bench, "float32")
    return videos_per_s(bench, engine, memory, videos_BTD, size)


def deadline(bench: Bench, target: Target) -> None:
    """Sends requests whose time is over at once; they end, and the next one is answered."""
    features_TD = models.random_features(bench.sizes.snippets, bench.sizes.feature_dim)
    answers = [ask(target, features_TD, **{"X-Request-Timeout": "0.000001"}) for _ in range(10)]
    late = [one for one in answers if one.status == 504]
    bench.at_least("requests past their deadline that get 504", len(late), 1)
    types = {one.type for one in late}
    bench.expect("their type is deadline-exceeded", types == {_LATE}, str(types))
    others = {one.status for one in answers} - {504}
    bench.expect("the others were computed already", others <= {200}, str(others))
    bench.equal("status of the next request", ask(target, features_TD).status, 200)


def metrics(bench: Bench, target: Target) -> None:
    """Looks for the GPU in /metrics; without one there is nothing of it."""
    told = httpx.get(f"{target.url}/metrics", timeout=_REQUEST_S).text
    lines = [line for line in told.splitlines() if line.startswith("ecm_gpu_memory_used_bytes")]
    on_cuda = bench.device == "cuda"
    bench.expect("/metrics shows the GPU where one computes", bool(lines) == on_cuda, str(lines))


def reload_under_load(bench: Bench, target: Target) -> None:
    """Publishes a version while clients ask; no request fails, and the new version answers."""
    sizes = bench.sizes
    request = _request(models.random_features(sizes.snippets, sizes.feature_dim))
    windows: list[Window] = []
    over = threading.Event()

    def keep_asking() -> None:
        while not over.is_set():
            windows.append(drive(target.port, request, 4, sizes.window_s, lambda: None))

    clients = threading.Thread(target=keep_asking)
    clients.start()
    try:
        models.publish_copy(models.repository(bench), bench.scratch / "service" / "models")
        served = wait_until(lambda: _newest(target) == 2, timeout_s=_RELOAD_S)
    finally:
        over.set()
        clients.join()
    bench.expect("the new version is served", served)
    bench.equal("requests failed meanwhile", sum(window.failed for window in windows), 0)
    bench.equal("requests refused meanwhile", sum(window.refused for window in windows), 0)
    bench.at_least("requests answered meanwhile", sum(window.done for window in windows), 1)


def _newest(target: Target) -> int:
    listed = httpx.get(f"{target.url}/models", timeout=_REQUEST_S).json()["models"]
    return max((one["version"] for one in listed if one["state"] == "ready"), default=0)
