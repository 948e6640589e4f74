"""Names and properties of the videos of jobs, and the videos kept after the end of a job."""

from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from service.jobs.job_videos import video_name

ODD_NAME = 'a "b" <i>ü 🎬.mp4'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one service."""
    return tmp_path_factory.mktemp("jobs")


@pytest.fixture(scope="module")
def client(launch_for_module, motion_repository: Path, folder: Path):
    """A client of a service for videos."""
    (folder / "videos").mkdir()
    process = launch_for_module(
        "serve",
        repository=motion_repository,
        data=folder / "data",
        video_roots=f'["{folder / "videos"}"]',
        wait_s=60,
    )
    with httpx.Client(base_url=process.url, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def clip(film, folder: Path) -> bytes:
    """A video of two seconds."""
    return film(folder / "clip.mp4", np.arange(50) / 25).read_bytes()


def finished(client: httpx.Client, accepted: httpx.Response) -> dict:
    """Returns the job of a response after its last event."""
    assert accepted.status_code == 202, accepted.text
    address = f"/jobs/{accepted.json()['id']}"
    client.get(f"{address}/events")
    return client.get(address).json()


@pytest.fixture(scope="module")
def uploaded(client: httpx.Client, clip: bytes) -> dict:
    """The finished job of an upload."""
    headers = {"Content-Type": "video/mp4", "X-File-Name": quote(ODD_NAME)}
    return finished(client, client.post("/jobs", content=clip, headers=headers))


def test_a_job_keeps_the_name_and_properties_of_its_video(
    client: httpx.Client, uploaded: dict
) -> None:
    """The list of jobs has them as well, with the number of segments."""
    assert uploaded["name"] == ODD_NAME
    assert uploaded["model"] == {"name": "moves", "version": 1}
    video = uploaded["video"]
    assert video.pop("duration_s") == pytest.approx(2, abs=0.05)
    assert video == {
        "media_type": "video/mp4", "frame_rate": 25, "width": 64, "height": 48, "codec": "h264",
        "available": True,
    }  # fmt: skip
    [summary] = [job for job in client.get("/jobs").json()["jobs"] if job["id"] == uploaded["id"]]
    assert summary["name"] == ODD_NAME
    assert summary["segments"] == len(uploaded["result"]["segments"])
    assert summary["duration_s"] == uploaded["result"]["duration_s"]


def test_the_video_of_a_finished_job_is_kept(folder: Path, uploaded: dict, clip: bytes) -> None:
    """All other files of the job are removed."""
    assert (folder / "data" / "videos" / uploaded["id"]).read_bytes() == clip
    assert list((folder / "data" / "jobs").glob(f"{uploaded['id']}*")) == []


def test_the_video_of_a_job_can_be_localized_again(client: httpx.Client, uploaded: dict) -> None:
    """With other options, without sending it again; also the video of such a job."""
    id_ = uploaded["id"]
    for _ in range(2):
        body = {"video": {"job_id": id_}, "max_segments": 1}
        again = finished(client, client.post("/jobs", json=body))
        assert again["state"] == "done"
        assert (again["name"], again["video"]["available"]) == (ODD_NAME, True)
        assert again["result"]["segments"] == uploaded["result"]["segments"][:1]
        id_ = again["id"]


def test_a_reference_names_a_uri_or_a_job(client: httpx.Client) -> None:
    """Neither both nor none, and no job that does not exist."""
    for video in ({}, {"uri": "file:///a", "job_id": "b"}):
        assert client.post("/jobs", json={"video": video}).status_code == 422
    for id_ in ("0" * 36, "../videos", "x"):
        answer = client.post("/jobs", json={"video": {"job_id": id_}})
        assert (answer.status_code, answer.json()["type"].rpartition(":")[2]) == (
            404,
            "unknown-job",
        )


def test_a_failed_job_has_its_reason_in_the_list_and_keeps_no_video(
    client: httpx.Client, folder: Path
) -> None:
    """Its properties are unknown."""
    headers = {"Content-Type": "video/mp4", "X-File-Name": "%"}
    failed = finished(client, client.post("/jobs", content=b"no video", headers=headers))
    [summary] = [job for job in client.get("/jobs").json()["jobs"] if job["id"] == failed["id"]]
    assert summary["detail"] == failed["error"]["detail"]
    assert "video" not in failed
    assert not (folder / "data" / "videos" / failed["id"]).exists()
    answer = client.post("/jobs", json={"video": {"job_id": failed["id"]}})
    assert answer.json()["type"] == "urn:ecm-localizer:video-gone"


def test_a_referenced_video_is_named_by_its_uri(client: httpx.Client, folder: Path, film) -> None:
    """It stays where it is."""
    path = film(folder / "videos" / "my match.mp4", np.arange(50) / 25)
    job = finished(client, client.post("/jobs", json={"video": {"uri": path.as_uri()}}))
    assert (job["name"], job["video"]["available"]) == ("my match.mp4", True)
    path.unlink()
    assert not client.get(f"/jobs/{job['id']}").json()["video"]["available"]


@pytest.mark.parametrize(
    ("given", "uri", "name"),
    [
        ("C:\\videos\\a.mp4", None, "a.mp4"),
        ("../../etc/passwd", None, "passwd"),
        ("a\r\nb\x00\u202e.mp4", None, "ab.mp4"),
        ("", None, None),
        ("x" * 1000, None, "x" * 200),
        (None, "https://a.example.org/b/c%20d.mp4?sig=secret", "c d.mp4"),
        (None, None, None),
    ],
)
def test_names_are_the_last_part_without_control_characters(
    given: str | None, uri: str | None, name: str | None
) -> None:
    """Signed queries are no part of a name."""
    assert name == video_name(given, uri)
