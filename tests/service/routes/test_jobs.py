"""Videos in, segments out: uploaded and referenced, answered at once and as jobs."""

import asyncio
import json
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from ecm_client.calls import result_of
from ecm_localizer import AsyncClient, Client, Localization, LocalizerServiceError, Progress
from features.extractors import MOTION, open_extractor, snippet_clock, video_rows
from features.motion import MotionExtractor
from model.inference.engine import OnnxEngine
from model.predict import predict_video
from model.repository import list_models
from service.routes.features_body import REFERENCE_BYTES
from service.routes.media_types import MAGIC_BYTES
from training.__main__ import main
from training.checkpoint import load_checkpoint
from training.measurement.evaluation import TorchEngine

JSON = {"Content-Type": "application/json"}
SNIPPET_S = MotionExtractor.snippet_frames / MotionExtractor.rate_fps


def snippets_in(frames: int) -> int:
    """Returns the number of snippets in a number of frames at 25 fps."""
    return int(frames / 25 / SNIPPET_S + 0.5)


@pytest.fixture(scope="module")
def video(film, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video of 12 s, which is not a whole number of snippets."""
    return film(tmp_path_factory.mktemp("film") / "film.mp4", np.arange(300) / 25)


def offline(video: Path, repository: Path) -> list[tuple[str, float, float, float]]:
    """Returns the segments that training's evaluation finds in a video."""
    engine = OnnxEngine(list_models(repository)[0].read()[0])
    motion = open_extractor(MOTION)
    features_TD = np.stack(list(video_rows(motion, video)))
    duration_s = snippet_clock(motion).seconds(len(features_TD))
    prediction = predict_video(engine, features_TD, engine.spec, duration_s=duration_s)
    return [(s.label, s.start_s, s.end_s, s.score) for s in prediction.segments]


def test_a_model_trained_from_videos_serves_them_as_it_was_evaluated(
    launch, film, tmp_path: Path
) -> None:
    """Tags and videos in, a served model out: it sees the features of training."""
    videos = tmp_path / "videos"
    (videos / "b").mkdir(parents=True)
    for name, rate in (("run", 25), ("jump", 12.5), ("b/walk", 30)):
        film(videos / f"{name}.mp4", np.arange(int(7 * rate)) / rate)
    (tmp_path / "tags.csv").write_text("video,label\nrun,Run\njump,Jump\nb/walk,\n")
    run, models = tmp_path / "run", tmp_path / "models"
    small = ["--activation", "sigmoid", "--epochs", "2", "--hidden-width", "8"]
    data = ["--videos", str(videos), "--tags", str(tmp_path / "tags.csv")]
    assert main(["fit", *data, "--out", str(run), *small]) == 0
    assert main(["export", str(run), "--repository", str(models), "--name", "mine"]) == 0
    trained = TorchEngine(load_checkpoint(run).network(), "cpu")
    service = launch("serve", repository=models, data=tmp_path / "data")
    with Client(service.url) as client:
        for name in ("run", "jump", "b/walk"):
            features_TD = np.load(tmp_path / "videos.motion" / f"{name}.npy")
            served = client.localize(videos / f"{name}.mp4", include="cas")
            assert served.duration_s == pytest.approx(len(features_TD) * SNIPPET_S)
            assert served.cas_TC is not None
            np.testing.assert_allclose(served.cas_TC, trained.cas(features_TD), atol=1e-5)


def left(data: Path) -> list[Path]:
    """Returns the files that uploads and jobs left on disk."""
    return [*(data / "jobs").rglob("*"), *(data / "incoming").iterdir()]


def test_every_way_in_gives_the_segments_of_the_offline_evaluation(
    service, video: Path, motion_repository: Path, tmp_path: Path
) -> None:
    """As raw body, form and reference, to /localize and /jobs, by curl and by both clients."""
    expected = offline(video, motion_repository)
    assert expected
    named = tmp_path / "videos" / "a name.mp4"
    named.write_bytes(video.read_bytes())
    uri = named.as_uri()
    localize, jobs = f"{service.url}/localize", f"{service.url}/jobs"

    raw = ["-H", "Content-Type: video/mp4", "--data-binary", f"@{video}"]
    form = ["-F", f"file=@{video}", "-F", "include=cas"]
    reference = ["--json", json.dumps({"video": {"uri": uri}})]
    for body in (raw, form, reference):
        answer = json.loads(subprocess.check_output(["curl", "-sS", localize, *body]))
        assert segments_of(answer) == expected
        assert ("cas" in answer) == (body is form)
        assert answer["snippets"] == snippets_in(300)
        assert answer["duration_s"] == pytest.approx(snippets_in(300) * SNIPPET_S)
        job = json.loads(subprocess.check_output(["curl", "-sS", jobs, *body]))
        with Client(service.url) as client:
            done = finished(client, job["id"])
        assert done.state == "done"
        assert segments_of(done.model_dump()["result"]) == expected

    async def ask() -> list[tuple]:
        async with AsyncClient(service.url) as client:
            answers = [await client.localize(video), await client.localize(uri)]
            return [rows_of(answer) for answer in answers]

    with Client(service.url) as client:
        assert rows_of(client.localize(str(video))) == expected
        assert client.models()[0].extractor == open_extractor(MOTION).id
    assert asyncio.run(ask()) == [expected, expected]
    assert left(tmp_path / "data") == []


def segments_of(answer: dict) -> list[tuple]:
    return [tuple(s[key] for key in ("label", "start_s", "end_s", "score")) for s in
            answer["segments"]]  # fmt: skip


def rows_of(localization: Localization) -> list[tuple]:
    return [(s.label, s.start_s, s.end_s, s.score) for s in localization]


def finished(client: Client, job_id: str):
    while (job := client.job(job_id)).state in ("queued", "running"):
        time.sleep(0.02)
    return job


def test_a_long_video_is_answered_with_a_job_that_reports_its_progress(
    launch, motion_repository: Path, film, tmp_path: Path
) -> None:
    """202 with the job's location; events until the end; the client reports each stage."""
    service = launch("serve", repository=motion_repository, data=tmp_path / "data",
                     chunk_snippets=2, wait_s=0)  # fmt: skip
    long = film(tmp_path / "long.mp4", np.arange(1000) / 25)
    answer = httpx.post(
        f"{service.url}/localize", content=long.read_bytes(), headers={"Content-Type": "video/mp4"}
    )
    assert answer.status_code == 202
    job = answer.json()
    assert answer.headers["location"] == f"/jobs/{job['id']}"
    events = list(read_events(f"{service.url}{answer.headers['location']}/events"))
    kinds, jobs_seen = zip(*events, strict=True)
    assert set(kinds) <= {"queued", "running", "done"}
    assert kinds[-1] == "done"
    done = [event["progress"]["snippets_done"] for event in jobs_seen]
    assert done == sorted(done)
    assert done[-1] == jobs_seen[-1]["progress"]["snippets_expected"] == snippets_in(1000)
    assert any(0 < count < snippets_in(1000) for count in done)  # the poll may miss most chunks
    assert jobs_seen[-1]["result"]["snippets"] == snippets_in(1000)

    heard: list[Progress] = []
    with Client(service.url) as client:
        other = film(tmp_path / "other.mp4", np.arange(900) / 25)
        assert client.localize(other, on_progress=heard.append).snippets == snippets_in(900)
    assert [p for p in heard if p.stage == "upload"][-1].done == other.stat().st_size
    assert any(p.stage == "running" and p.total == snippets_in(900) and p.done for p in heard)


def read_events(url: str) -> Iterator[tuple[str, dict]]:
    with httpx.stream("GET", url, timeout=60) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        kind = ""
        for line in answer.iter_lines():
            if line.startswith("event: "):
                kind = line.removeprefix("event: ")
            if line.startswith("data: "):
                yield kind, json.loads(line.removeprefix("data: "))


def test_the_same_video_is_not_extracted_twice(service, video: Path, tmp_path: Path) -> None:
    """Features are cached by content, whatever the file's name; a damaged file is replaced."""
    with Client(service.url) as client:
        first = client.localize(video)
        copy = tmp_path / "copy.mkv"
        copy.write_bytes(video.read_bytes())
        second = client.localize(copy)
        assert first.timing_ms["extraction"] > 0 == second.timing_ms["extraction"]
        assert second.segments == first.segments
        [cached] = (tmp_path / "data" / "features").iterdir()
        cached.write_bytes(cached.read_bytes()[:100])
        third = client.localize(video)
        assert third.timing_ms["extraction"] > 0
        assert third.segments == first.segments


def test_a_key_makes_one_job_of_many_requests(service, video: Path, tmp_path: Path) -> None:
    """Simultaneous requests share a job as well; the key is refused for another video."""
    headers = {"Content-Type": "video/mp4", "Idempotency-Key": "k"}
    content = video.read_bytes()

    async def ask() -> set[str]:
        async with httpx.AsyncClient(base_url=service.url) as http:
            posts = [http.post("/jobs", content=content, headers=headers) for _ in range(8)]
            return {answer.json()["id"] for answer in await asyncio.gather(*posts)}

    [job_id] = asyncio.run(ask())
    with Client(service.url) as client:
        assert finished(client, job_id).state == "done"
    again = httpx.post(f"{service.url}/jobs", content=content, headers=headers)
    assert (again.status_code, again.json()["state"]) == (202, "done")
    other = httpx.post(f"{service.url}/jobs", content=content + b"0", headers=headers)
    assert other.status_code == 409
    changed = httpx.post(f"{service.url}/jobs?min_score=0.5", content=content, headers=headers)
    assert changed.json()["type"] == "urn:ecm-localizer:idempotency-conflict"
    assert left(tmp_path / "data") == []


def test_a_cancelled_job_ends_and_leaves_nothing(
    launch, motion_repository: Path, film, tmp_path: Path
) -> None:
    """A queued job ends at once, a running one after its chunk; both stay cancelled."""
    service = launch("serve", repository=motion_repository, data=tmp_path / "data",
                     chunk_snippets=2)  # fmt: skip
    long = film(tmp_path / "long.mp4", np.arange(500) / 25)
    with Client(service.url) as client:
        running, waiting = client.submit_video(long), client.submit_video(long, max_segments=1)
        while not client.job(running.id).progress.snippets_done:
            time.sleep(0.02)
        assert client.job(waiting.id).state == "queued"
        for job in (waiting, running):
            assert client.cancel_job(job.id).state == "cancelled"
            assert client.cancel_job(job.id).state == "cancelled"
        while left(tmp_path / "data"):
            time.sleep(0.02)
        assert client.localize(film(tmp_path / "next.mp4", np.arange(32) / 25)).snippets
        assert client.job(running.id).state == "cancelled"
        with pytest.raises(LocalizerServiceError, match="cancelled"):
            result_of(client.job(running.id))
        with pytest.raises(LocalizerServiceError, match="no job"):
            client.job("other")
    assert httpx.get(f"{service.url}/jobs/other/events").status_code == 404


def test_the_queue_has_an_end(launch, motion_repository: Path, film, tmp_path: Path) -> None:
    """Beyond it no body is read. A worker in another process completes the queued jobs."""
    flags = {"repository": motion_repository, "data": tmp_path / "data"}
    service = launch("serve", **flags, jobs=0, max_queued_jobs=2)
    video = film(tmp_path / "film.mp4", np.arange(50) / 25)
    with Client(service.url, retries=0) as client:
        jobs = [client.submit_video(video, max_segments=number) for number in (1, 2)]
        with pytest.raises(LocalizerServiceError, match="2 videos wait") as refused:
            client.submit_video(video)
        assert (refused.value.status, refused.value.code) == (503, "queue-full")
        for path, type_ in (("localize", "application/octet-stream"), ("jobs", "video/mp4")):
            assert b"queue-full" in answer_to_start(service.url, path, type_, video)
        launch("work", **flags)
        for job in jobs:
            assert finished(client, job.id).state == "done"
        assert client.submit_video(video).state in ("queued", "running")


def answer_to_start(url: str, path: str, media_type: str, video: Path) -> bytes:
    """Announces 40 MiB, sends the start of a video alone, and returns the response."""
    host, _, port = url.removeprefix("http://").partition(":")
    head = (
        f"POST /{path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: {media_type}\r\n"
        f"Content-Length: {40 * 2**20}\r\n\r\n"
    )
    with socket.create_connection((host, int(port)), timeout=60) as client:
        client.sendall(head.encode() + video.read_bytes() + bytes(MAGIC_BYTES))
        response = b""
        while b"}" not in response and (part := client.recv(65536)):
            response += part
    return response


def test_a_model_of_other_features_takes_no_video(serving, launch, repository, film, tmp_path):
    """The model was trained on ready-made features, which have no extractor."""
    service = launch("serve", repository=repository, data=tmp_path / "data")
    with (
        Client(service.url, retries=0) as client,
        pytest.raises(LocalizerServiceError, match="ready-made features"),
    ):
        client.localize(film(tmp_path / "film.mp4", np.arange(50) / 25))
    assert left(tmp_path / "data") == []


def test_only_short_json_is_a_reference(service, video: Path, tmp_path: Path) -> None:
    """Short JSON may reference a video; longer JSON must hold features, which are never a job."""
    named = tmp_path / "videos" / "named.mp4"
    named.write_bytes(video.read_bytes())
    body = json.dumps({"video": {"uri": named.as_uri()}})
    for path, length, status in (
        ("jobs", REFERENCE_BYTES, 202),
        ("jobs", REFERENCE_BYTES + 1, 422),
        ("localize", REFERENCE_BYTES + 1, 422),
    ):
        answer = httpx.post(f"{service.url}/{path}", content=body.ljust(length), headers=JSON)
        assert answer.status_code == status, answer.text
    assert str(REFERENCE_BYTES) in answer.json()["detail"]
    features = httpx.post(f"{service.url}/jobs", json={"features": [[0.5]]})
    assert (features.status_code, "POST /localize" in features.text) == (422, True)
    for content in (b"{", b"[]"):
        answers = [
            httpx.post(f"{service.url}/{path}", content=content, headers=JSON)
            for path in ("jobs", "localize")
        ]
        assert [answer.status_code for answer in answers] == [400 if content == b"{" else 422] * 2
    both = {"video": {"uri": named.as_uri()}, "features": [[0.5]]}
    for path in ("jobs", "localize"):
        answer = httpx.post(f"{service.url}/{path}", json=both)
        assert (answer.status_code, "expected one of" in answer.text) == (422, True)
