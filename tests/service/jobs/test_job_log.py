"""Log lines of workers and jobs: start, end, state and duration."""

import json
from pathlib import Path

import httpx
import numpy as np

from ecm_client.clients import Client

VIDEO = {"Content-Type": "video/mp4"}


def events(log: Path, logger: str) -> list[dict]:
    """Returns the JSON lines of a logger."""
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return [line for line in lines if line["logger"] == logger]


def test_worker_and_jobs_log_their_start_and_end(
    launch, motion_repository: Path, film, tmp_path: Path
) -> None:
    """A done, a failed and a cancelled job each end with one line: id, state and duration."""
    flags = {"repository": motion_repository, "data": tmp_path / "data"}
    service = launch("serve", **flags, jobs=0, wait_s=0)
    video = film(tmp_path / "film.mp4", np.arange(50) / 25).read_bytes()
    submitted = [
        httpx.post(f"{service.url}/jobs", content=content, headers=VIDEO).json()["id"]
        for content in (video, b"no video", video + b"0")
    ]
    done, failed, cancelled = submitted
    with Client(service.url) as client:
        client.cancel_job(cancelled)
        worker = launch("work", **flags, log_format="json")
        while any(client.job(id_).state in ("queued", "running") for id_ in submitted):
            pass
    assert worker.stop() == 0

    loggers = ("worker", "steps", "record")
    lines = [line for name in loggers for line in events(worker.log, f"service.jobs.{name}")]
    names = [line["event"] for line in lines]
    assert names[0] == "worker started"
    assert names.count("job started") == names.count("job finished") == 2
    assert {"event": "worker stopped", "worker": "worker-0", "unfinished": 0}.items() <= next(
        line for line in lines if line["event"] == "worker stopped"
    ).items()
    ends = {line["job"]: line for line in lines if line["event"] == "job finished"}
    assert (ends[done]["state"], ends[failed]["state"]) == ("done", "failed")
    assert all(end["duration_ms"] > 0 for end in ends.values())
    assert "error" not in ends[done]
    assert ends[failed]["error"]
    text = service.log.read_text()
    assert f'job finished job="{cancelled}" state="cancelled" duration_ms=0.0' in text
