"""The video of a job in parts, its stills, and the tickets that open both."""

import io
import time
from collections.abc import Iterator
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from service.http.api_keys import new_key
from service.http.tickets import EXPIRES_S, Tickets

KEY, KEPT = new_key("page", frozenset({"infer"}))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of one service."""
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def client(launch_for_module, motion_repository: Path, folder: Path) -> Iterator[httpx.Client]:
    """A client with a key of a service for videos."""
    (folder / "videos" / "sub").mkdir(parents=True)
    process = launch_for_module(
        "serve",
        repository=motion_repository,
        data=folder / "data",
        video_roots=f'["{folder / "videos"}"]',
        api_keys=KEPT.line(),
    )
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=process.url, headers=headers, timeout=60) as client:
        yield client


@pytest.fixture(scope="module")
def clip(film, folder: Path) -> bytes:
    """A video of four seconds with a frame each 40 ms, its number in its bars."""
    return film(folder / "clip.mp4", np.arange(100) / 25).read_bytes()


@pytest.fixture(scope="module")
def job(client: httpx.Client, clip: bytes) -> str:
    """Id of the finished job of that video."""
    headers = {"Content-Type": "video/mp4", "X-File-Name": "a%22%0d%0a%3Cb%3E.mp4"}
    id_ = client.post("/jobs", content=clip, headers=headers).json()["id"]
    client.get(f"/jobs/{id_}/events")
    return id_


@pytest.fixture(scope="module")
def ticket(client: httpx.Client, job: str) -> str:
    """A ticket for that job."""
    return client.post(f"/jobs/{job}/ticket").json()["ticket"]


def number_of(jpeg: bytes) -> int:
    """Returns the number in the bars of a frame."""
    with av.open(io.BytesIO(jpeg)) as container:
        image_HW = next(container.decode(video=0)).to_ndarray(format="gray")
    width = image_HW.shape[1]
    centres = [int((bar + 0.5) * width / 8) for bar in range(8)]
    return sum(int(image_HW[len(image_HW) // 2, x] > 128) << bar for bar, x in enumerate(centres))


def test_a_player_reads_the_video_with_a_ticket_alone(
    client: httpx.Client, job: str, ticket: str, clip: bytes
) -> None:
    """As a whole, or a range of it."""
    address = f"{client.base_url}/jobs/{job}/video"
    whole = httpx.get(address, params={"ticket": ticket})
    assert (whole.status_code, whole.content) == (200, clip)
    assert whole.headers["content-type"] == "video/mp4"
    assert whole.headers["accept-ranges"] == "bytes"
    assert whole.headers["x-content-type-options"] == "nosniff"
    disposition = whole.headers["content-disposition"]
    assert disposition == "inline; filename*=UTF-8''a%22%3Cb%3E.mp4"
    part = httpx.get(address, params={"ticket": ticket}, headers={"Range": "bytes=100-199"})
    assert (part.status_code, part.content) == (206, clip[100:200])
    assert part.headers["content-range"] == f"bytes 100-199/{len(clip)}"


@pytest.mark.parametrize(
    ("asked", "start", "end"),
    [
        ("bytes=0-", 0, None),
        ("bytes=5-5", 5, 6),
        ("bytes=-7", -7, None),
        ("bytes=-9999999999999999999", 0, None),
        ("bytes=1-9999999999999999999", 1, None),
        ("BYTES=2-3", 2, 4),
    ],
)
def test_ranges_are_those_of_the_file(
    client: httpx.Client, job: str, clip: bytes, asked: str, start: int, end: int | None
) -> None:
    """However huge their numbers are."""
    answer = client.get(f"/jobs/{job}/video", headers={"Range": asked})
    assert (answer.status_code, answer.content) == (206, clip[start:end])


@pytest.mark.parametrize(
    "asked",
    [
        "bytes=" + ",".join(f"{n}-{n}" for n in range(0, 2000, 2)),
        "bytes=0-0,5-5", "bytes=5-2", "bytes=-", "bytes=a-b", "bytes 0-1", "items=0-1", "",
        "bytes=" + "9" * 1000 + "-", "bytes=--1", "bytes=1-2-3", "bytes=\u00b2-3",
    ],
)  # fmt: skip
def test_other_ranges_are_ignored(
    client: httpx.Client, job: str, clip: bytes, asked: str
) -> None:  # fmt: skip
    """Several ranges as well: the answer is the whole file, and costs no more than that."""
    answer = client.get(f"/jobs/{job}/video", headers={"Range": asked.encode("latin-1")})
    assert (answer.status_code, answer.content) == (200, clip)


@pytest.mark.parametrize("asked", ["bytes={size}-", "bytes=9999999999999999999-", "bytes=-0"])
def test_a_range_after_the_end_is_416(
    client: httpx.Client, job: str, clip: bytes, asked: str
) -> None:  # fmt: skip
    """With the length in Content-Range."""
    answer = client.get(f"/jobs/{job}/video", headers={"Range": asked.format(size=len(clip))})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == f"bytes */{len(clip)}"
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_range_of_another_file_is_the_whole_file(
    client: httpx.Client, job: str, clip: bytes
) -> None:  # fmt: skip
    """If-Range has the ETag of the file that the player began to read."""
    address = f"/jobs/{job}/video"
    entity = client.get(address).headers["etag"]
    for given, status in ((entity, 206), ('"other"', 200), (f"W/{entity}", 200)):
        asked = {"Range": "bytes=0-9", "If-Range": given}
        assert client.get(address, headers=asked).status_code == status


def test_a_ticket_opens_the_media_of_its_job_only(
    client: httpx.Client, job: str, ticket: str
) -> None:  # fmt: skip
    """Not another job, another call, another method, nor anything with a changed ticket."""
    expires, signature = ticket.split(".")
    base, query = str(client.base_url), {"ticket": ticket}
    other = "00000000-0000-0000-0000-000000000000"
    for path in (f"/jobs/{other}/video", f"/jobs/{job}", f"/jobs/{job}/events", "/jobs",
                 f"/jobs/{job}/video/", f"//jobs/{job}/video", f"/jobs/x/../{job}/clips",
                 f"/v2/jobs/{job}/video"):  # fmt: skip
        assert httpx.get(base + path, params=query).status_code == 401, path
    assert httpx.post(f"{base}/jobs/{job}/video", params=query).status_code == 401
    assert httpx.delete(f"{base}/jobs/{job}", params=query).status_code == 401
    for wrong in (f"{int(expires) + 1}.{signature}", f"{expires}.{'0' * 64}", expires, "", ".",
                  f"{expires}.{signature[:-1]}", f"{ticket} ", f"{ticket}\n", "é" * 64,
                  f"{ticket}.{signature}", "9" * 5000):  # fmt: skip
        answer = httpx.get(f"{base}/jobs/{job}/video", params={"ticket": wrong})
        assert answer.status_code == 401, wrong
    twice = f"{base}/jobs/{job}/video?ticket={ticket}&ticket={ticket}"
    assert httpx.get(twice).status_code == 401
    assert httpx.post(f"{base}/jobs/{job}/ticket", params=query).status_code == 401


def test_tickets_expire(monkeypatch: pytest.MonkeyPatch) -> None:
    """After the seconds that the answer names; another secret never accepts them."""
    tickets = Tickets(b"secret")
    query = f"ticket={tickets.issue('a')}".encode()
    scope = {"path": "/jobs/a/still", "method": "GET", "query_string": query}
    assert tickets.admit(scope)
    assert not Tickets(b"other").admit(scope)
    now_s = time.time()
    monkeypatch.setattr("time.time", lambda: now_s + EXPIRES_S + 1)
    assert not tickets.admit(scope)


def test_the_secret_is_for_its_user_alone(client: httpx.Client, job: str, folder: Path) -> None:
    """All processes of the folder share it."""
    path = folder / "data" / "tickets.key"
    assert path.stat().st_mode & 0o777 == 0o600
    base = str(client.base_url)
    forged = Tickets(path.read_bytes()).issue(job)
    assert httpx.get(f"{base}/jobs/{job}/still", params={"ticket": forged}).status_code == 200


def test_stills_are_the_frames_that_a_player_shows(client: httpx.Client, job: str) -> None:
    """From the first to the last, also within a frame and after the end."""
    for time_s, number in ((0, 0), (0.036, 0), (0.04, 1), (1.01, 25), (3.96, 99), (500, 99)):
        answer = client.get(f"/jobs/{job}/still", params={"time_s": time_s, "height": 48})
        assert answer.headers["content-type"] == "image/jpeg"
        assert number_of(answer.content) == number, time_s


@pytest.mark.parametrize(
    "query",
    ["time_s=-1", "time_s=nan", "time_s=inf", "time_s=1e300", "height=0", "height=100000",
     "height=1.5", "time_s=x"],
)  # fmt: skip
def test_other_stills_are_refused(client: httpx.Client, job: str, query: str) -> None:
    """Before a process is asked."""
    assert client.get(f"/jobs/{job}/still?{query}").status_code == 422


def test_media_of_unknown_jobs_are_not_found(client: httpx.Client) -> None:
    """With the same error for each call."""
    for id_ in ("00000000-0000-0000-0000-000000000000", "x", "%2e%2e%2fetc", "..%2f..%2fdata"):
        for call in ("video", "still"):
            answer = client.get(f"/jobs/{id_}/{call}")
            assert answer.status_code == 404, id_
    answer = client.post(f"/jobs/{'0' * 36}/ticket")
    assert answer.json()["type"] == "urn:ecm-localizer:unknown-job"


def test_a_removed_video_is_gone(client: httpx.Client, folder: Path, film) -> None:
    """Its job stays."""
    path = film(folder / "videos" / "short.mp4", np.arange(50) / 25)
    id_ = client.post("/jobs", json={"video": {"uri": path.as_uri()}}).json()["id"]
    client.get(f"/jobs/{id_}/events")
    assert client.get(f"/jobs/{id_}/video").status_code == 200
    path.unlink()
    for call in ("video", "still"):
        assert client.get(f"/jobs/{id_}/{call}").json()["type"] == "urn:ecm-localizer:video-gone"


def test_files_lists_folders_and_videos_below_the_roots(
    client: httpx.Client, folder: Path
) -> None:  # fmt: skip
    """The URI of an entry starts a job. Other and hidden files and links to outside are absent."""
    root = folder / "videos"
    for name in ("b & <c> 100%.mp4", "A.MKV", "notes.txt", ".hidden.mp4", "features.npy"):
        (root / name).write_bytes(b"abc")
    (root / "link.mp4").symlink_to(folder / "clip.mp4")
    (root / "out").symlink_to(folder)
    assert client.get("/files").json()["entries"] == [
        {"name": "videos", "path": str(root), "uri": root.as_uri(), "kind": "folder",
         "size_bytes": None}
    ]  # fmt: skip
    listed = client.get("/files", params={"path": str(root)}).json()
    assert [entry["name"] for entry in listed["entries"]] == ["sub", "A.MKV", "b & <c> 100%.mp4"]
    assert listed["entries"][1]["size_bytes"] == 3
    assert not listed["truncated"]
    assert client.post("/jobs", json={"video": {"uri": listed["entries"][2]["uri"]}}).is_success


def test_folders_outside_the_roots_are_unknown(client: httpx.Client, folder: Path) -> None:
    """Whether they exist or not."""
    root = folder / "videos"
    for path in ("/", "/etc", str(folder), f"{root}/..", f"{root}/sub/../../data", f"{root}/out",
                 f"{root}x", "videos", ".", f"{root}/absent", f"{root}/A.MKV", f"{root}\0",
                 "~", "x" * 4000, f"{root}/{'y' * 300}"):  # fmt: skip
        answer = client.get("/files", params={"path": path})
        assert answer.json()["type"] == "urn:ecm-localizer:unknown-folder", path
    assert client.get("/files", params={"path": "x" * 5000}).status_code == 422
