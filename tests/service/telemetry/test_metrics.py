"""/metrics of real services."""

import concurrent.futures
import json
import re
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import httpx
import numpy as np
import pytest
from prometheus_client.parser import text_string_to_metric_families

from ecm_localizer import Client
from model.predict import VideoPrediction, predict_video
from service.settings import Settings

ROOT = Path(__file__).parents[3]
NPY = {"Content-Type": "application/octet-stream", "X-Shape": "40,8"}


def samples(url: str) -> dict[tuple[str, frozenset[str]], float]:
    """Every sample of a service, by its name and label values."""
    text = httpx.get(f"{url}/metrics").raise_for_status().text
    return {
        (sample.name, frozenset(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(url: str, name: str, *labels: str) -> float:
    """One sample; 0 if it is absent."""
    return samples(url).get((name, frozenset(labels)), 0)


def localize(url: str, features_TD: np.ndarray) -> httpx.Response:
    return httpx.post(f"{url}/localize", content=features_TD.tobytes(), headers=NPY)


def test_requests_are_counted_by_method_template_and_status(
    url: str, features_TD: np.ndarray
) -> None:
    """Errors count, including requests that are refused before routing."""
    for _ in range(3):
        assert localize(url, features_TD).status_code == 200
    assert httpx.post(f"{url}/localize", content=b"x" * 100_001).status_code == 413
    assert httpx.get(f"{url}/models/small").status_code == 200
    assert httpx.get(f"{url}/models/other").status_code == 404
    assert httpx.delete(f"{url}/localize").status_code == 405
    counted = samples(url)
    for labels, count in (
        (("POST", "/localize", "200"), 3),
        (("POST", "/localize", "413"), 1),
        (("GET", "/models/{name}", "200"), 1),
        (("GET", "/models/{name}", "404"), 1),
        (("DELETE", "/localize", "405"), 1),
    ):
        assert counted["ecm_requests_total", frozenset(labels)] == count


def test_stages_snippets_and_segments_are_measured(url: str, features_TD: np.ndarray) -> None:
    """Each stage is measured once per request, and their sum is at most the total."""
    answer = localize(url, features_TD).json()
    counted = samples(url)

    def stage_s(stage: str) -> float:
        assert counted["ecm_stage_seconds_count", frozenset(("/localize", stage))] == 1
        return counted["ecm_stage_seconds_sum", frozenset(("/localize", stage))]

    stages = ("receive", "wait", "parse", "inference", "localization")
    assert sum(map(stage_s, stages)) <= stage_s("total")
    assert stage_s("inference") == pytest.approx(answer["timing_ms"]["inference"] / 1e3, abs=1e-5)
    assert counted["ecm_localized_snippets_sum", frozenset()] == 40
    assert counted["ecm_localized_segments_sum", frozenset()] == len(answer["segments"])
    assert counted["ecm_model_info", frozenset(("small", "1", "ready"))] == 1
    assert counted["process_resident_memory_bytes", frozenset()] > 1e6


def test_hostile_paths_and_methods_add_no_labels(url: str) -> None:
    """The metrics do not grow with the names that a client invents."""

    def attack(number: int) -> None:
        for path in ("", "models/", "jobs/", "v2/models/", "models/a/versions/"):
            name = f"%22%0A{number}é/../{{x}}"
            httpx.request("GET", f"{url}/{path}{name}{number}")
        httpx.request(("PROPFIND", "TRACE", "LOCK")[number % 3], f"{url}/localize")

    samples(url)
    attack(0)
    before = samples(url).keys()
    for number in range(1, 30):
        attack(number)
    assert samples(url).keys() == before
    assert value(url, "ecm_requests_total", "other", "/localize", "405") == 30


def test_waiting_and_computing_requests_are_reported(
    serving, repository: Path, features_TD: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With one slot and three requests, one is computed and two wait; afterwards none."""
    go_on = threading.Event()

    def held_up(*given: Any, **options: Any) -> VideoPrediction:
        assert go_on.wait(30)
        return predict_video(*given, **options)

    monkeypatch.setattr("service.localize.answer.predict_video", held_up)
    settings = Settings(repository=repository, concurrency=1)
    with serving(settings) as url, concurrent.futures.ThreadPoolExecutor(3) as pool:
        answers = [pool.submit(localize, url, features_TD) for _ in range(3)]
        end_s = time.monotonic() + 4
        while value(url, "ecm_requests_waiting") < 2 and time.monotonic() < end_s:
            time.sleep(0.01)
        told = samples(url)
        go_on.set()
        assert [answer.result().status_code for answer in answers] == [200] * 3
        assert told["ecm_requests_computing", frozenset()] == 1
        assert told["ecm_requests_waiting", frozenset()] == 2
        assert value(url, "ecm_requests_computing") == value(url, "ecm_requests_waiting") == 0


def test_apps_in_one_process_count_separately(
    serving, repository: Path, features_TD: np.ndarray
) -> None:
    """A request to one app does not change the other's metrics."""
    settings = Settings(repository=repository)
    with serving(settings) as one, serving(settings) as two:
        localize(one, features_TD)
        assert value(one, "ecm_requests_total", "POST", "/localize", "200") == 1
        assert value(two, "ecm_requests_total", "POST", "/localize", "200") == 0
        assert value(two, "ecm_localized_snippets_count") == 0


def test_jobs_are_counted(service, film, tmp_path: Path) -> None:
    """Extraction, cache lookups and outcomes are counted; a broken video fails."""
    video = film(tmp_path / "film.mp4", np.arange(100) / 25)
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"no video")
    with Client(service.url) as client:
        snippets = client.localize(video).snippets
        client.localize(video)
        failed = client.submit_video(broken)
        while client.job(failed.id).state != "failed":
            time.sleep(0.05)
    told = samples(service.url)
    for name, labels, count in (
        ("ecm_jobs_finished_total", ("done",), 2),
        ("ecm_jobs_finished_total", ("failed",), 1),
        ("ecm_feature_cache_lookups_total", ("hit",), 1),
        ("ecm_feature_cache_lookups_total", ("miss",), 2),
        ("ecm_extracted_snippets_total", (), snippets),
        ("ecm_stage_seconds_count", ("job", "inference"), 2),
        ("ecm_localized_snippets_sum", (), 2 * snippets),
        ("ecm_jobs", ("queued",), 0),
    ):
        assert told[name, frozenset(labels)] == count, name
    assert told["ecm_extraction_seconds_total", frozenset()] > 0


def test_a_separate_worker_has_its_own_metrics(
    launch, film, motion_repository: Path, tmp_path: Path
) -> None:
    """They are on `metrics_port`; the service that accepts videos reports the queue."""
    shared = {"repository": motion_repository, "data": tmp_path / "data"}
    front = launch("serve", jobs=0, **shared)
    with Client(front.url) as client:
        job = client.submit_video(film(tmp_path / "film.mp4", np.arange(50) / 25))
        assert value(front.url, "ecm_jobs", "queued") == 1
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        launch("work", metrics_port=port, **shared)
        while client.job(job.id).state != "done":
            time.sleep(0.05)
    assert value(f"http://127.0.0.1:{port}", "ecm_jobs_finished_total", "done") == 1
    assert value(front.url, "ecm_jobs_finished_total", "done") == 0
    assert value(front.url, "ecm_jobs", "queued") == 0


def families(url: str) -> dict[str, str]:
    """Kind of each metric of a service, by name."""
    text = httpx.get(f"{url}/metrics").text
    found = re.findall(r"^# TYPE (\w+) (\w+)$", text, flags=re.MULTILINE)
    return {name: kind for name, kind in found if not name.endswith("_created")}


@pytest.fixture
def complete_url(serving, repository: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """URL of a service with all metrics, including GPUs."""
    nvml = MagicMock(**{"nvmlDeviceGetCount.return_value": 0})
    monkeypatch.setitem(sys.modules, "pynvml", nvml)
    monkeypatch.setattr("model.inference.engine._device", lambda _: "cuda")
    with serving(Settings(repository=repository)) as url:
        yield url


def test_documented_metrics_are_the_real_ones(complete_url: str) -> None:
    """docs/howto/observability.md has the name and kind of every metric of ours, and no other."""
    text = (ROOT / "docs" / "howto" / "observability.md").read_text()
    rows = re.findall(r"^\| `(ecm_\w+)` \| (\w+) \|", text, flags=re.MULTILINE)
    ours = {name: kind for name, kind in families(complete_url).items() if name.startswith("ecm_")}
    assert dict(rows) == ours


def test_the_dashboard_shows_the_real_metrics(complete_url: str) -> None:
    """Every metric in the dashboard exists, and every metric of ours is in it."""
    dashboard = ROOT / "deploy" / "grafana" / "dashboards" / "ecm-localizer.json"
    panels = json.loads(dashboard.read_text())["panels"]
    shown = " ".join(target["expr"] for panel in panels for target in panel["targets"])
    told = set()
    for name, kind in families(complete_url).items():
        parts = ("_bucket", "_sum", "_count") if kind == "histogram" else ("",)
        told |= {f"{name}{part}" for part in parts}
    names = set(re.findall(r"\b(?:ecm|process)_\w+", shown))
    assert names <= told
    for name in families(complete_url):
        assert not name.startswith("ecm_") or name in shown
