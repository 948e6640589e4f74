"""Corrections are kept whole, and no tab overwrites those of another."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

import httpx
import numpy as np
import pytest

from service.settings import Settings
from training.datasets.layouts.native import read_native

ENTRY = {
    "duration": 12.5,
    "subset": "training",
    "annotations": [{"label": "Jump", "segment": [1.25, 2.5]}, {"label": "Run"}],
    "tags": ["Jump", "Run"],
}
NEW = {"If-None-Match": "*"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The operator's folder, which does not exist yet."""
    return tmp_path / "own" / "corrections"


@pytest.fixture
def client(serving, repository: Path, folder: Path) -> Iterator[httpx.Client]:
    """A client of a service with that folder."""
    with (
        serving(Settings(repository=repository, corrections=folder)) as url,
        httpx.Client(base_url=url) as client,
    ):
        yield client


def test_corrections_come_back_as_they_were_saved(client: httpx.Client) -> None:
    """With an ETag and the time; a replacement names the ETag."""
    assert client.get("/corrections/a").json()["type"] == "urn:ecm-localizer:no-corrections"
    saved = client.put("/corrections/a", json=ENTRY, headers=NEW)
    assert saved.status_code == 204
    read = client.get("/corrections/a")
    assert read.json() == ENTRY
    assert read.headers["etag"] == saved.headers["etag"]
    assert read.headers["last-modified"] == saved.headers["last-modified"]
    again = ENTRY | {"tags": ["Jump"]}
    entity = {"If-Match": read.headers["etag"]}
    assert client.put("/corrections/a", json=again, headers=entity).status_code == 204
    assert client.get("/corrections/a").json() == again


def test_the_other_tab_is_not_overwritten(client: httpx.Client) -> None:
    """412 for an old ETag, for * where there is an entry, and for an ETag where there is none."""
    first = client.put("/corrections/a", json=ENTRY, headers=NEW).headers["etag"]
    other = ENTRY | {"tags": []}
    client.put("/corrections/a", json=other, headers={"If-Match": first})
    for headers in ({"If-Match": first}, NEW, {"If-Match": "*"}, {"If-Match": f"W/{first}"}):
        answer = client.put("/corrections/a", json=ENTRY, headers=headers)
        assert answer.json()["type"] == "urn:ecm-localizer:changed-meanwhile"
    assert client.put("/corrections/b", json=ENTRY, headers={"If-Match": first}).status_code == 412
    assert client.put("/corrections/b", json=ENTRY).status_code == 428
    assert client.get("/corrections/a").json() == other


def test_of_many_that_save_at_once_one_wins_and_no_video_is_lost(client: httpx.Client) -> None:
    """Two requests for each of ten videos."""

    def save(number: int) -> int:
        return client.put(f"/corrections/v{number % 10}", json=ENTRY, headers=NEW).status_code

    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(save, range(20)))
    assert sorted(statuses) == [204] * 10 + [412] * 10
    assert all(client.get(f"/corrections/v{number}").json() == ENTRY for number in range(10))


@pytest.mark.parametrize(
    "video_id",
    ['a "b" <i>', "ü 🎬", ".hidden", "a.b.c", "__proto__", "annotations.json", "x" * 99],
)
def test_video_ids_may_have_odd_characters(client: httpx.Client, video_id: str) -> None:
    """They are keys of one file, not names of files."""
    address = f"/corrections/{quote(video_id, safe='')}"
    assert client.put(address, json=ENTRY, headers=NEW).status_code == 204
    assert client.get(address).json() == ENTRY


@pytest.mark.parametrize("video_id", ["a%2Fb", "%2e%2e%2fa", "a%5Cb", "a%00", "a%0Ab", "x" * 256])
def test_ids_that_training_refuses_are_refused(client: httpx.Client, video_id: str) -> None:
    """Because they are no plain file names."""
    for answer in (
        client.get(f"/corrections/{video_id}"),
        client.put(f"/corrections/{video_id}", json=ENTRY, headers=NEW),
    ):
        assert answer.status_code in (404, 422)


@pytest.mark.parametrize(
    "change",
    [
        {"duration": 0},
        {"duration": "NaN"},
        {"subset": "../x"},
        {"annotations": None},
        {"annotations": [{"label": "", "segment": [0, 1]}]},
        {"annotations": [{"label": "a", "segment": [2, 1]}]},
        {"annotations": [{"label": "a", "segment": [-1, 1]}]},
        {"annotations": [{"label": "a", "segment": [0, 1, 2]}]},
        {"annotations": [{"label": "a", "segment": [0, 1e999]}]},
    ],
)
def test_other_entries_are_refused(client: httpx.Client, folder: Path, change: dict) -> None:
    """The file of the operator keeps its format."""
    answer = client.put("/corrections/a", content=json.dumps(ENTRY | change), headers=NEW | {
        "Content-Type": "application/json"})  # fmt: skip
    assert answer.status_code == 422
    assert not (folder / "annotations.json").exists()


def test_training_takes_the_file_as_it_is(client: httpx.Client, folder: Path) -> None:
    """Times where somebody corrected, tags everywhere."""
    for video_id in ("a", "b"):
        client.put(f"/corrections/{video_id}", json=ENTRY, headers=NEW)
    features = folder.parent / "features"
    features.mkdir()
    for video_id in ("a", "b"):
        np.save(features / f"{video_id}.npy", np.zeros((25, 8), np.float32))
    videos = read_native(folder / "annotations.json", features).videos
    assert [video.id for video in videos] == ["a", "b"]
    for video in videos:
        assert set(video.labels) == {"Jump", "Run"}
        assert [tuple(one)[:3] for one in video.instances] == [(1.25, 2.5, "Jump")]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"videos": {}}', b"\xff", b"[" * 100_000])
def test_a_damaged_file_is_never_replaced(
    client: httpx.Client, folder: Path, content: bytes
) -> None:
    """Somebody has to mend it."""
    folder.mkdir(parents=True)
    path = folder / "annotations.json"
    path.write_bytes(content)
    for answer in (
        client.get("/corrections/a"),
        client.put("/corrections/a", json=ENTRY, headers=NEW),
    ):
        assert answer.json()["type"] == "urn:ecm-localizer:corrections-unavailable"
    assert path.read_bytes() == content


def test_entries_written_by_hand_stay(client: httpx.Client, folder: Path) -> None:
    """Also those of other videos, and keys that the service does not know."""
    folder.mkdir(parents=True)
    by_hand = {"database": {"b": ENTRY | {"note": "x"}, "a": ENTRY}}
    (folder / "annotations.json").write_text(json.dumps(by_hand))
    read = client.get("/corrections/a")
    assert "last-modified" not in read.headers
    entity = {"If-Match": read.headers["etag"]}
    client.put("/corrections/a", json=ENTRY | {"tags": []}, headers=entity)
    database = json.loads((folder / "annotations.json").read_text())["database"]
    assert database["b"] == by_hand["database"]["b"]
    assert database["a"]["tags"] == []


def test_a_folder_that_cannot_be_used_is_a_sentence(
    serving, repository: Path, tmp_path: Path
) -> None:
    """And so is a service without a folder."""
    (tmp_path / "file").write_text("no folder")
    with serving(Settings(repository=repository, corrections=tmp_path / "file")) as url:
        answer = httpx.get(f"{url}/corrections/a")
        assert answer.json()["type"] == "urn:ecm-localizer:corrections-unavailable"
    with serving(Settings(repository=repository)) as url:
        assert httpx.get(f"{url}/corrections/a").status_code == 404
        assert not httpx.get(f"{url}/page/capabilities").json()["corrections"]
