"""Segments as files of other programs, and as clips."""

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from ecm_client.formats.table import FORMATS

SEGMENTS = [
    {"label": "Jump, <high>", "start_s": 0.5, "end_s": 1.25, "score": 0.81},
    {"label": "Run", "start_s": 2.0, "end_s": 3.0, "score": 1.2},
]


@pytest.fixture(scope="module")
def client(
    launch_for_module, motion_repository: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[httpx.Client]:
    """A client of a service for videos."""
    data = tmp_path_factory.mktemp("export") / "data"
    process = launch_for_module("serve", repository=motion_repository, data=data)
    with httpx.Client(base_url=process.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def job(client: httpx.Client, film, tmp_path_factory: pytest.TempPathFactory) -> str:
    """Id of the finished job of a video of four seconds with a key frame each second."""
    path = film(tmp_path_factory.mktemp("clip") / "a.mp4", np.arange(100) / 25,
                options={"g": "25"})  # fmt: skip
    headers = {"Content-Type": "video/mp4", "X-File-Name": "my%20%22match%22.mp4"}
    id_ = client.post("/jobs", content=path.read_bytes(), headers=headers).json()["id"]
    client.get(f"/jobs/{id_}/events")
    return id_


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_a_download(client: httpx.Client, name: str) -> None:
    """Its name is that of the video, whatever characters it has."""
    body = {"video_id": 'a"\r\nb/ü', "duration_s": 4, "frame_rate": 25, "segments": SEGMENTS}
    answer = client.post(f"/export/{name}", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == FORMATS[name].media_type
    disposition = answer.headers["content-disposition"]
    assert disposition == (
        f"attachment; filename*=UTF-8''a%22%0D%0Ab%2F%C3%BC{FORMATS[name].suffix}"
    )
    assert b"Run" in answer.content


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("absent", {}),
        ("edl", {"frame_rate": None}),
        ("csv", {"frame_rate": 0}),
        ("csv", {"segments": None}),
        ("csv", {"segments": [{"label": "a", "start_s": "NaN", "end_s": 1}]}),
        ("csv", {"segments": [{"label": "a", "start_s": -1, "end_s": 1}]}),
    ],
)
def test_other_exports_are_refused(client: httpx.Client, name: str, change: dict) -> None:
    """With a sentence about the first mistake."""
    body = {"video_id": "a", "duration_s": 4, "frame_rate": 25, "segments": SEGMENTS} | change
    answer = client.post(f"/export/{name}", json=body)
    assert answer.status_code == 422
    assert answer.json()["detail"]


@pytest.mark.parametrize("exact", [False, True])
def test_clips_are_a_zip(client: httpx.Client, job: str, exact: bool) -> None:
    """A playable clip of each segment, and the table of the clips."""
    answer = client.post(f"/jobs/{job}/clips", json={"segments": SEGMENTS, "exact": exact})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"].endswith("my%20%22match%22_clips.zip")
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        names = archive.namelist()
        assert [name.startswith("my__match") for name in names] == [True] * 3
        for name in names[:2]:
            with av.open(io.BytesIO(archive.read(name))) as container:
                assert sum(1 for _ in container.decode(video=0)) >= 18


def test_clips_that_cannot_be_cut_are_refused_before_the_zip(
    client: httpx.Client, job: str
) -> None:
    """Outside the video, none at all, too many, or of an unknown job."""
    outside = [{"label": "a", "start_s": 100, "end_s": 101}]
    for segments in (outside, [], SEGMENTS * 501, "all"):
        answer = client.post(f"/jobs/{job}/clips", json={"segments": segments})
        assert answer.status_code == 422, segments
    answer = client.post(f"/jobs/{'0' * 36}/clips", json={"segments": SEGMENTS})
    assert answer.status_code == 404


def test_clients_that_leave_free_their_place(client: httpx.Client, job: str) -> None:
    """More of them than places, one after the other, while the zip is being sent."""
    for _ in range(4):
        body = {"segments": SEGMENTS * 50, "exact": True}
        with client.stream("POST", f"/jobs/{job}/clips", json=body) as answer:
            while answer.status_code == 503:  # the process of the one before is still ending
                break
            next(answer.iter_raw(), b"")
    for _ in range(100):
        last = client.post(f"/jobs/{job}/clips", json={"segments": SEGMENTS[:1]})
        if last.status_code != 503:
            break
    assert last.status_code == 200
