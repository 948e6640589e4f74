"""Faults around a video: processes that hang or die, extractors, caches and disks."""

import contextlib
import hashlib
import os
import random
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import httpx
import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from ecm_localizer import Client, LocalizerServiceError
from features.backbone.spec import BackboneSpec, InputSpec
from features.motion import MotionExtractor
from model.export import write_onnx
from model.network import Ecm, EcmConfig
from model.repository import publish
from model.spec import ExtractorIdentity, ModelSpec
from reliability.server import eventually

MP4 = {"Content-Type": "video/mp4"}
SNIPPET = round(25 * MotionExtractor.snippet_frames / MotionExtractor.rate_fps)
"""Frames of a video at 25 frames per second."""
SEES = BackboneSpec(
    (InputSpec("image", "NCHW", scale=1 / 255),),
    "features",
    snippet_frames=4,
    frames=1,
    short_side=40,
    size=32,
)


def backbone(bias: float) -> bytes:
    """An image network that returns the mean of each colour plus a number."""
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 32, 32])
    output = helper.make_tensor_value_info("features", TensorProto.FLOAT, None)
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["mean"], keepdims=0),
        helper.make_node("Add", ["mean", "bias"], ["features"]),
    ]
    constants = [
        helper.make_tensor("axes", TensorProto.INT64, [2], [2, 3]),
        helper.make_tensor("bias", TensorProto.FLOAT, [1], [bias]),
    ]
    graph = helper.make_graph(nodes, "means", [image], [output], constants)
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


RIGHT, WRONG = backbone(0.0), backbone(1.0)
SHA256 = hashlib.sha256(RIGHT).hexdigest()
EXTRACTORS = {
    "sees": ExtractorIdentity(SEES.id, SHA256),
    "differs": ExtractorIdentity(replace(SEES, rate_fps=10.0).id, SHA256),
    "old": ExtractorIdentity("motion-0"),
    "both": ExtractorIdentity(f"{MotionExtractor.id}+{SEES.id}", f"+{SHA256}"),
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, motion_repository: Path) -> Path:
    """A folder with the repository `models`: `moves`, and one model for each extractor."""
    path = tmp_path_factory.mktemp("place")
    shutil.copytree(motion_repository, path / "models")
    (path / "extractors").mkdir()
    for name, extractor in EXTRACTORS.items():
        width = 3 + MotionExtractor.feature_dim * (name == "both")
        network = Ecm(EcmConfig(width, 2, hidden_width=16)).eval()
        spec = ModelSpec(
            labels=("jump", "run"),
            feature_dim=width,
            snippets=16,
            topk_ratio=0.25,
            snippet_s=SEES.snippet_frames / SEES.rate_fps,
            extractor=extractor,
        )
        torch.manual_seed(0)
        publish(path / "models", name, partial(write_onnx, network, spec))
    return path


@pytest.fixture(scope="module")
def process(launch_for_module, place: Path):
    """A service with chunks of two snippets and a time limit of 5 s for each."""
    return launch_for_module(
        "serve",
        repository=place / "models",
        default_model="moves",
        data=place / "data",
        extractors=place / "extractors",
        chunk_snippets=2,
        chunk_timeout_s=5,
        extraction_threads=1,
    )


@pytest.fixture
def client(process) -> Iterator[Client]:
    """A client of the service."""
    with Client(process.url, retries=0) as client:
        yield client


def finished(client: Client, job_id: str, within_s: float = 60.0):
    eventually(lambda: client.job(job_id).state in ("done", "failed", "cancelled"), within_s)
    return client.job(job_id)


def left(data: Path) -> list[Path]:
    """Files that uploads and jobs left on the disk."""
    return [*(data / "jobs").rglob("*"), *(data / "incoming").iterdir()]


def extracting(parent: int) -> list[int]:
    """Ids of the processes that extract features."""
    found = subprocess.run(
        ["pgrep", "-P", str(parent), "-f", "spawn_main"], capture_output=True, text=True
    )
    return [int(word) for word in found.stdout.split()]


@pytest.mark.slow
def test_a_chunk_that_hangs_is_retried(process, client: Client, film, tmp_path: Path) -> None:
    """Its process is killed at the time limit, and a new one continues."""
    video = film(tmp_path / "film.mp4", np.arange(80 * SNIPPET) / 25)
    job = client.submit_video(video)
    eventually(lambda: client.job(job.id).progress.snippets_done)
    [pid] = extracting(process.process.pid)
    os.kill(pid, signal.SIGSTOP)
    now = finished(client, job.id)
    assert now.state == "done", now.error
    assert now.result.snippets == now.progress.snippets_done == 80
    assert pid not in extracting(process.process.pid)


def test_a_killed_extraction_is_retried(
    process, client: Client, film, tmp_path: Path, place: Path
) -> None:
    """It is killed at random moments, including the start of the process."""
    chance = random.Random(0)
    for number in range(2):
        video = film(tmp_path / f"{number}.mp4", np.arange((30 + number) * SNIPPET) / 25)
        job = client.submit_video(video)
        time.sleep(chance.uniform(0, 1))
        for pid in extracting(process.process.pid):
            os.kill(pid, signal.SIGKILL)
        now = finished(client, job.id)
        assert now.state == "done", now.error
        assert now.result.snippets == 30 + number
    eventually(lambda: left(place / "data") == [])


@pytest.mark.slow
def test_a_chunk_that_always_hangs_fails_its_job(
    launch, motion_repository: Path, film, tmp_path: Path
) -> None:
    """It fails after its retries, and the error contains the time limit."""
    service = launch("serve", repository=motion_repository, data=tmp_path / "data",
                     chunk_timeout_s=0.01)  # fmt: skip
    with Client(service.url) as client:
        job = client.submit_video(film(tmp_path / "film.mp4", np.arange(32) / 25))
        now = finished(client, job.id)
    assert now.state == "failed"
    assert "0.01 s" in now.error.detail
    eventually(lambda: left(tmp_path / "data") == [])


def test_changed_settings_change_no_result(
    launch, motion_repository: Path, film, tmp_path: Path
) -> None:
    """A job continues with another chunk size after a restart."""
    flags = {"repository": motion_repository, "data": tmp_path / "data"}
    video = film(tmp_path / "film.mp4", np.arange(60 * SNIPPET) / 25)
    first = launch("serve", **flags, chunk_snippets=2)
    with Client(first.url) as client:
        job = client.submit_video(video)
        eventually(lambda: client.job(job.id).progress.snippets_done)
    first.kill()
    second = launch("serve", **flags, chunk_snippets=7)
    with Client(second.url) as client:
        now = finished(client, job.id)
        assert now.state == "done", now.error
        assert now.result.snippets == now.progress.snippets_done == 60


def test_a_model_needs_its_own_extractor(process, place: Path, film, tmp_path: Path) -> None:
    """The error 503 names the extractor; once it is installed, videos work."""
    content = film(tmp_path / "film.mp4", np.arange(20) / 25).read_bytes()

    def ask(model: str) -> httpx.Response:
        answer: httpx.Response = httpx.post(
            f"{process.url}/localize?model={model}", content=content, headers=MP4, timeout=30
        )
        return answer

    def assert_unavailable(model: str, kind: str, words: str) -> None:
        answer = ask(model)
        assert answer.status_code == 503, answer.text
        assert answer.json()["type"] == f"urn:ecm-localizer:{kind}"
        assert words in answer.json()["detail"]

    folder = place / "extractors"
    (folder / "a.json").write_text(SEES.to_json())
    (folder / "a.onnx").write_bytes(WRONG)
    assert_unavailable("old", "extractor-unavailable", "motion-0")
    assert_unavailable("sees", "extractor-unavailable", SHA256)
    assert_unavailable("both", "extractor-unavailable", f"{SEES.id}, sha256 {SHA256}")
    (folder / "a.onnx").write_bytes(RIGHT)
    answer = ask("sees")
    assert (answer.status_code, answer.json()["snippets"]) == (200, 5)
    assert ask("both").json()["snippets"] == 1  # the clock of `motion`, 0.6 s
    assert_unavailable("differs", "model-unavailable", "has another preprocessing")
    assert ask("sees").status_code == 200
    assert ask("moves").status_code == 200
    eventually(lambda: left(place / "data") == [])


def test_a_broken_cache_costs_only_time(client: Client, place: Path, film, tmp_path: Path) -> None:
    """A file replaces the folder, then folders replace the features; videos still work."""
    video = film(tmp_path / "film.mp4", np.arange(3 * SNIPPET + 1) / 25)
    features, aside = place / "data" / "features", place / "aside"
    features.rename(aside)
    features.write_text("no folder")
    assert client.localize(video).snippets == 3
    features.unlink()
    aside.rename(features)
    for kept in features.glob("*.npy"):
        kept.unlink()
    assert client.localize(video).timing_ms["extraction"] > 0
    assert client.localize(video).timing_ms["extraction"] == 0
    [kept] = features.glob("*.npy")
    kept.unlink()
    (kept / "folder").mkdir(parents=True)
    assert client.localize(video).timing_ms["extraction"] > 0
    shutil.rmtree(kept)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 4 MiB."""
    path = tmp_path / "disk"
    path.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", path], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield path
    subprocess.run(["umount", "-l", path], check=True)


def test_a_full_disk_is_reported_and_survived(
    launch, motion_repository: Path, small_disk: Path, film, tmp_path: Path
) -> None:
    """A video that does not fit gets 507, raw and in a form; the next one works."""
    service = launch("serve", repository=motion_repository, data=small_disk / "data")
    good = film(tmp_path / "good.mp4", np.arange(32) / 25).read_bytes()
    large = bytes(5_000_000)
    for path in ("localize", "jobs"):
        url = f"{service.url}/{path}"
        for answer in (
            httpx.post(url, content=large, headers=MP4),
            httpx.post(url, files={"file": large}),
        ):
            assert answer.status_code == 507, answer.text
            assert "disk" in answer.json()["detail"]
            assert left(small_disk / "data") == []
        assert httpx.post(url, content=good, headers=MP4).is_success
    eventually(lambda: left(small_disk / "data") == [])


def fill(path: Path) -> None:
    """Writes to a file until its disk is full."""
    with path.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(4096))


@pytest.mark.slow
def test_a_job_survives_a_disk_that_fills_up(
    launch, motion_repository: Path, small_disk: Path, film, tmp_path: Path
) -> None:
    """Not even its failure can be stored; it continues once there is space again."""
    service = launch("serve", repository=motion_repository, data=small_disk / "data",
                     chunk_snippets=1)  # fmt: skip
    with Client(service.url, retries=0) as client:
        job = client.submit_video(film(tmp_path / "film.mp4", np.arange(60 * SNIPPET) / 25))
        eventually(lambda: client.job(job.id).progress.snippets_done)
        fill(small_disk / "filler")
        eventually(lambda: "disk is full" in service.log.read_text())
        with pytest.raises(LocalizerServiceError, match="no room") as refused:
            client.submit_video(film(tmp_path / "other.mp4", np.arange(32) / 25))
        assert refused.value.status == 507
        (small_disk / "filler").unlink()
        now = finished(client, job.id)
        assert now.state == "done", now.error
        assert now.result.snippets == 60
    assert left(small_disk / "data") == []
