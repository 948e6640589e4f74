"""Broken, hostile and oversized videos, and aborted requests: reported, and nothing is left."""

import io
import os
import socket
import struct
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import av
import httpx
import numpy as np
import pytest

from features.motion import MotionExtractor
from reliability.server import eventually

Make = Callable[[Path, Callable[..., Path]], object]
MP4 = {"Content-Type": "video/mp4"}
MAX_VIDEO_BYTES = 1_000_000
SNIPPET = round(25 * MotionExtractor.snippet_frames / MotionExtractor.rate_fps)
"""Times of frames at 25 fps."""
FASTSTART = {"movflags": "faststart"}


def steady(frames: int) -> np.ndarray:
    return np.arange(frames) / 25


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the server's data and the videos that may be referenced."""
    path = tmp_path_factory.mktemp("place")
    (path / "videos").mkdir()
    return path


@pytest.fixture(scope="module")
def process(launch_for_module, motion_repository: Path, place: Path):
    """A service without a feature cache, so that every video is decoded."""
    return launch_for_module(
        "serve",
        repository=motion_repository,
        data=place / "data",
        feature_cache_bytes=0,
        chunk_snippets=4,
        extraction_threads=1,
        max_video_bytes=MAX_VIDEO_BYTES,
        max_body_bytes=100_000,
        max_video_s=20,
        video_roots=f'["{place / "videos"}"]',
        video_hosts='["videos.example.org"]',
        wait_s=60,
    )


@pytest.fixture(scope="module")
def server(process) -> str:
    """URL of the service."""
    url: str = process.url
    return url


@pytest.fixture(scope="module")
def good(film, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A video of two snippets."""
    return film(tmp_path_factory.mktemp("good") / "good.mp4", steady(2 * SNIPPET)).read_bytes()


@pytest.fixture
def sound(server: str, place: Path, good: bytes) -> Iterator[None]:
    """After each test the next video is answered, and nothing is left of this one."""
    yield
    answer = localize(server, good)
    assert (answer.status_code, answer.json()["snippets"]) == (200, 2)
    eventually(lambda: left(place / "data") == [])


pytestmark = pytest.mark.usefixtures("sound")


def localize(url: str, content: object, **params: object) -> httpx.Response:
    answer: httpx.Response = httpx.post(
        f"{url}/localize", content=content, headers=MP4, params=params, timeout=60
    )
    return answer


def left(data: Path) -> list[Path]:
    """Returns the files that uploads and jobs left on disk."""
    return [*(data / "jobs").rglob("*"), *(data / "incoming").iterdir()]


def assert_problem(answer: httpx.Response, status: int, *words: str) -> None:
    """Checks for an RFC 9457 problem whose detail has some words and no internals."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    for word in words:
        assert word in answer.json()["detail"]
    assert "Traceback" not in answer.text


def write_bytes(content: bytes) -> Make:
    return lambda path, _: path.write_bytes(content)


def sound_alone(path: Path, _: object) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000)
        silence = av.AudioFrame.from_ndarray(
            np.zeros((1, 4000), np.float32), format="fltp", layout="mono"
        )
        silence.sample_rate = 16000
        container.mux(stream.encode(silence))
        container.mux(stream.encode())


def no_frames(path: Path, film: Callable[..., Path]) -> None:
    film(path, steady(3), container_options=FASTSTART)
    path.write_bytes(path.read_bytes().split(b"mdat")[0])


def without_index(path: Path, film: Callable[..., Path]) -> None:
    film(path, steady(200))
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])


def eight_k(path: Path, film: Callable[..., Path]) -> None:
    film(path, steady(1), size=(7680, 4320), options={"preset": "ultrafast"})


def too_long(path: Path, film: Callable[..., Path]) -> None:
    film(path, steady(600), options={"preset": "ultrafast"})


def playlist(path: Path, film: Callable[..., Path]) -> None:
    other = film(path.with_name("other.ts"), steady(10))
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{other}\n#EXT-X-ENDLIST\n")


def concatenation(path: Path, film: Callable[..., Path]) -> None:
    other = film(path.with_name("other.mp4"), steady(10))
    path.write_text(f"ffconcat version 1.0\nfile '{other}'\n")


GIF_OF_4_GIGAPIXELS = b"GIF89a\xff\xff\xff\xff\x80\0\0" + bytes(6) + (
    b"\x2c\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;"
)  # fmt: skip
REFUSED: dict[str, tuple[str, Make]] = {
    "empty": ("empty", write_bytes(b"")),
    "text": ("not a video", write_bytes(b"Dear diary,\n" * 50)),
    "bytes of no format": ("not a video", write_bytes(bytes(range(256)) * 99)),
    "sound alone": ("no video stream; it contains audio", sound_alone),
    "no frames": ("without a frame that can be decoded", no_frames),
    "an index that was cut off": ("no video stream", without_index),
    "8K": ("7680 x 4320 pixels; expected at most", eight_k),
    "a frame of 4 gigapixels in 40 bytes": ("without a frame", write_bytes(GIF_OF_4_GIGAPIXELS)),
    "many frames in few bytes": ("lasts longer than 20 s", too_long),
    "a playlist": ("not a video", playlist),
    "a concatenation": ("not a video", concatenation),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_unusable_videos_get_a_reason(server: str, film, tmp_path: Path, kind: str) -> None:
    """Whatever its content type and header claim."""
    words, make = REFUSED[kind]
    path = tmp_path / "video.mp4"
    make(path, film)
    assert_problem(localize(server, path.read_bytes()), 422, words)


def test_a_failed_job_has_a_reason(server: str) -> None:
    """With the problem of a direct answer, and so do its events."""
    answer = httpx.post(f"{server}/jobs", files={"file": b"Dear diary,\n" * 50})
    assert answer.status_code == 202
    job = finished(server, answer.json()["id"])
    assert job["state"] == "failed"
    assert job["error"]["status"] == 422
    assert "not a video" in job["error"]["detail"]
    events = httpx.get(f"{server}/jobs/{job['id']}/events").text
    assert "event: failed" in events
    assert "not a video" in events


def finished(url: str, job_id: str) -> dict:
    job: dict = {}

    def is_final() -> bool:
        nonlocal job
        job = httpx.get(f"{url}/jobs/{job_id}").json()
        return job["state"] in ("done", "failed", "cancelled")

    eventually(is_final, 60)
    return job


def test_a_damaged_tail_leaves_the_snippets_before_it(server: str, film, tmp_path: Path) -> None:
    """The answer covers the snippets that can be decoded."""
    path = film(tmp_path / "video.mp4", steady(20 * SNIPPET), options={"g": "10"},
                container_options=FASTSTART)  # fmt: skip
    content = path.read_bytes()
    assert localize(server, content).json()["snippets"] == 20
    answer = localize(server, content[: len(content) * 2 // 3])
    assert answer.status_code == 200
    assert 2 < answer.json()["snippets"] < 19


@pytest.mark.parametrize("size", [(64, 48), (1, 1), (64, 2)])
def test_the_least_that_is_a_video_is_answered(
    server: str, film, tmp_path: Path, size: tuple[int, int]
) -> None:
    """Two frames, even of one pixel, are one snippet."""
    path = film(tmp_path / "video.mkv", steady(2), size=size, codec="ffv1")
    answer = localize(server, path.read_bytes())
    assert (answer.status_code, answer.json()["snippets"]) == (200, 1)


@pytest.mark.parametrize("claim_s", [36_000.0, float("inf"), -5.0])
def test_a_header_that_lies_costs_no_more_than_an_estimate(
    server: str, film, tmp_path: Path, claim_s: float
) -> None:
    """The result, and in the end the progress, cover what is decoded."""
    path = film(tmp_path / "video.mkv", steady(7 * SNIPPET))
    content = bytearray(path.read_bytes())
    start = content.index(b"\x44\x89\x88") + 3  # the element Duration, eight bytes long
    content[start : start + 8] = struct.pack(">d", claim_s * 1000)
    job_id = httpx.post(f"{server}/jobs", content=bytes(content), headers=MP4).json()["id"]
    job = finished(server, job_id)
    assert job["state"] == "done", job
    assert job["result"]["snippets"] == 7
    assert job["progress"] == {"snippets_done": 7, "snippets_expected": 7, "seconds_left": 0.0}


def test_references_lead_nowhere_else(server: str, good: bytes, place: Path, film) -> None:
    """Never outside the allowed folders and hosts, nor by links or playlists."""
    outside, videos = place / "outside.mp4", place / "videos"
    outside.write_bytes(good)
    (videos / "link.mp4").symlink_to(outside)
    (videos / "folder").symlink_to(place)
    playlist(videos / "list.mp4", film)
    os.mkfifo(videos / "pipe.mp4")
    refused = {
        outside.as_uri(): "outside the allowed folders",
        (videos / "link.mp4").as_uri(): "outside the allowed folders",
        (videos / "folder" / "outside.mp4").as_uri(): "outside the allowed folders",
        f"{videos.as_uri()}/../outside.mp4": "plain names",
        f"{videos.as_uri()}/%2e%2e/outside.mp4": "plain names",
        f"{videos.as_uri()}/a%00.mp4": "plain names",
        f"{videos.as_uri()}/none.mp4": "no file",
        f"{videos.as_uri()}/pipe.mp4": "regular file",
        videos.as_uri(): "regular file",
        (videos / "list.mp4").as_uri(): "not a video",
        "https://other.example.org/video.mp4": "other.example.org",
        "http://videos.example.org/video.mp4": "https",
        "concat:a.mp4|b.mp4": "expected",
        "x" * 5000: "4096",
        "": "uri",
    }
    for uri, words in refused.items():
        answer = httpx.post(f"{server}/localize", json={"video": {"uri": uri}}, timeout=60)
        assert_problem(answer, 422, words)


def chunks(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 10_000):
        yield content[start : start + 10_000]


def test_uploads_beyond_the_limit_are_refused(server: str) -> None:
    """By their declared length, or by counting if none is declared."""
    content = bytes(MAX_VIDEO_BYTES + 1)
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
    for path in ("localize", "jobs"):
        url = f"{server}/{path}"
        assert_problem(httpx.post(url, content=content, headers=MP4), 413, "1000001", "1000000")
        assert_problem(httpx.post(url, files={"file": content}), 413, "1000000")
        assert_problem(httpx.post(url, content=chunks(content), headers=MP4), 413, "1000000")
        assert_problem(httpx.post(url, content=chunks(head + content), headers=form), 413)


def npy(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def test_features_in_a_form_are_features_still(server: str, motion_repository: Path) -> None:
    """Also in a service that accepts videos; the limit is that of features."""
    detail = httpx.get(f"{server}/models/moves/versions/1").json()
    features_TD = np.zeros((20, detail["feature_dim"]), np.float32)
    answer = httpx.post(f"{server}/localize", files={"file": ("a.npy", npy(features_TD))})
    assert (answer.status_code, answer.json()["snippets"]) == (200, 20)
    answer = httpx.post(f"{server}/jobs", files={"file": ("a.npy", npy(features_TD))})
    assert_problem(answer, 422, "POST /localize")
    long_TD = np.zeros((1000, detail["feature_dim"]), np.float32)
    for name in ("a.npy", "a.mp4"):
        answer = httpx.post(f"{server}/localize", files={"file": (name, npy(long_TD))})
        assert_problem(answer, 413, "100000")


def test_a_video_without_a_type_of_its_own_is_recognized(server: str, good: bytes) -> None:
    """As octet-stream, with the limit of videos; a packed video is refused before it is read."""
    raw = {"Content-Type": "application/octet-stream"}
    answer = httpx.post(f"{server}/localize", content=good, headers=raw, timeout=60)
    expected = httpx.post(f"{server}/localize", content=good, headers=MP4, timeout=60)
    assert (answer.status_code, answer.json()["segments"]) == (200, expected.json()["segments"])
    assert httpx.post(f"{server}/jobs", content=good, headers=raw).status_code == 202
    too_long = good + bytes(MAX_VIDEO_BYTES)
    answer = httpx.post(f"{server}/jobs", content=too_long, headers=raw)
    assert_problem(answer, 413, str(MAX_VIDEO_BYTES))
    answer = httpx.post(f"{server}/jobs", content=good, headers=MP4 | {"Content-Encoding": "gzip"})
    assert_problem(answer, 415, "no Content-Encoding")


def test_requests_that_make_no_sense_are_refused(server: str, good: bytes) -> None:
    """Each with its status and the expectation."""
    for path in ("localize", "jobs"):
        url = f"{server}/{path}"

        def send(url: str = url, headers: dict[str, str] = MP4, **params: object) -> httpx.Response:
            answer: httpx.Response = httpx.post(url, content=good, headers=headers, params=params)
            return answer

        for kind in ("audio/mp4", "image/gif", "text/plain", "", "multipart/mixed; boundary=x"):
            assert_problem(send(headers={"Content-Type": kind}), 415, "video/")
        assert_problem(send(headers={"Content-Type": "multipart/form-data"}), 400, "boundary")
        assert_problem(httpx.post(url, files={"other": good}), 400, "'file'")
        assert_problem(httpx.post(url, files=[("file", good)] * 2), 400, "form")
        assert_problem(httpx.post(url, files={"file": ("a.mp4", b"")}), 422, "empty")
        assert_problem(send(duration_s=5), 422, "duration_s")
        assert_problem(send(snippet_s=1), 422, "snippet_s")
        assert_problem(send(model="other"), 404, "other")
        assert_problem(send(version=99), 404, "99")
        assert_problem(send(colour="blue"), 422, "colour")
        assert_problem(send(headers=MP4 | {"Idempotency-Key": "k" * 256}), 422, "255")
        assert_problem(httpx.post(url, files={"file": good}, data={"duration_s": 5}), 422)
        assert_problem(httpx.post(url, json={"video": {"path": "/a"}}), 422, "path")
        assert_problem(httpx.post(url, json={"video": {}}), 422, "uri")
        assert_problem(httpx.post(url, json={"video": {"uri": "a"}, "duration_s": 5}), 422)
    assert_problem(httpx.post(f"{server}/jobs", json={"features": [[1.0]]}), 422, "POST /localize")


def test_an_empty_key_is_none(server: str, good: bytes) -> None:
    """An empty key does not merge requests."""
    headers = MP4 | {"Idempotency-Key": ""}
    jobs = [httpx.post(f"{server}/jobs", content=good, headers=headers).json() for _ in range(2)]
    assert jobs[0]["id"] != jobs[1]["id"]
    assert [finished(server, job["id"])["state"] for job in jobs] == ["done", "done"]


def test_jobs_that_are_none_are_not_found(server: str) -> None:
    """To find, to follow and to cancel."""
    for id_ in ("other", "%00", "%2e%2e", "%ff", "a" * 5000, "1' OR '1'='1"):
        url = f"{server}/jobs/{id_}"
        for answer in (httpx.get(url), httpx.get(f"{url}/events"), httpx.delete(url)):
            assert_problem(answer, 404)


VIDEO = "Content-Type: video/mp4\r\n"
FORM = "Content-Type: multipart/form-data; boundary=x\r\n"
PART = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n'
LENGTH, CHUNKED = "Content-Length: 900000\r\n", "Transfer-Encoding: chunked\r\n"


@pytest.mark.parametrize(
    ("path", "headers", "start"),
    [
        ("localize", VIDEO + LENGTH, b""),
        ("jobs", VIDEO + CHUNKED, b"a0000\r\n"),
        ("localize", FORM + LENGTH, PART),
    ],
    ids=["raw", "chunked", "form"],
)
def test_an_upload_that_breaks_off_leaves_nothing(
    process, place: Path, good: bytes, path: str, headers: str, start: bytes
) -> None:
    """No file on disk, and no traceback in the log, because the service did not fail."""
    known = process.log.read_text()
    with closing(socket.create_connection(("127.0.0.1", process.port))) as client:
        client.sendall(f"POST /{path} HTTP/1.1\r\nHost: a\r\n{headers}\r\n".encode() + start)
        client.sendall(bytes(30_000))
        if start != PART:  # a form passes through a file without a name
            eventually(lambda: left(place / "data"))
    eventually(lambda: left(place / "data") == [])
    localize(process.url, good)
    assert "Traceback" not in process.log.read_text().removeprefix(known)
