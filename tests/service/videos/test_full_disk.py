"""Videos that find no room on the disk: refused in one sentence, and nothing stays."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.videos.data_folder import DataFolder

DISK_BYTES = 4 * 2**20
LONG, SHORT = bytes(2 * DISK_BYTES), bytes(100_000)
VIDEO = {"Content-Type": "video/mp4"}


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """The root of a file system of 4 MiB."""
    root = tmp_path / "disk"
    root.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", str(root)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True, check=False)
    except OSError as error:
        pytest.skip(f"no small file system can be mounted: {error}")
    if mounted.returncode:
        pytest.skip(f"no small file system can be mounted: {mounted.stderr.strip()}")
    yield root
    subprocess.run(["umount", "--lazy", str(root)], check=True)


def stored(data: Path) -> list[Path]:
    """Returns what uploads and jobs left in the data folder."""
    return [path for name in ("jobs", "incoming") for path in (data / name).rglob("*")]


def fill(root: Path, *, leave_bytes: int) -> Path:
    """Fills a file system but for some bytes; the file can be removed again."""
    free = os.statvfs(root)
    filler = root / "filler"
    filler.write_bytes(bytes(max(0, free.f_bavail * free.f_frsize - leave_bytes)))
    return filler


def test_a_video_that_does_not_fit_leaves_nothing(
    disk: Path, launch: Any, motion_repository: Path
) -> None:
    """As a body and as a form, at /localize and at /jobs; then the service takes a short one."""
    data = disk / "data"
    url = launch("serve", repository=motion_repository, data=data, jobs=0).url
    for path in ("localize", "jobs"):
        for request in (
            {"content": LONG, "headers": VIDEO},
            {"content": iter([LONG[:100_000]] * 200), "headers": VIDEO},
            {"files": {"file": ("long.mp4", LONG)}},
        ):
            answer = httpx.post(f"{url}/{path}", timeout=60, **request)  # type: ignore[arg-type]
            assert (answer.status_code, answer.json()["type"]) == (
                507,
                "urn:ecm-localizer:disk-full",
            )
            assert stored(data) == []
    accepted = httpx.post(f"{url}/jobs", content=SHORT, headers=VIDEO, timeout=60)
    assert accepted.status_code == 202


def test_a_job_that_cannot_be_recorded_leaves_nothing(
    disk: Path, launch: Any, motion_repository: Path
) -> None:
    """The video fits, and then its folder or its record does not; with room, all works again."""
    data = disk / "data"
    url = launch("serve", repository=motion_repository, data=data, jobs=0).url
    refused = 0
    for room_bytes in (0, 4096, 12_288):
        filler = fill(disk, leave_bytes=len(SHORT) + room_bytes)
        answer = httpx.post(f"{url}/jobs", content=SHORT, headers=VIDEO, timeout=60)
        filler.unlink()
        if answer.status_code == 202:
            break
        refused += 1
        assert answer.status_code in (503, 507)
        assert stored(data) == []
    assert refused
    assert httpx.post(f"{url}/jobs", content=SHORT, headers=VIDEO, timeout=60).status_code == 202


def test_folders_of_a_job_without_files_are_abandoned(tmp_path: Path) -> None:
    """A process that was killed between folder and video leaves folders, which go after a day."""
    data = DataFolder(tmp_path)
    data.upload("job", "0" * 64)
    (folder,) = (tmp_path / "jobs").iterdir()
    os.utime(folder, (0, 0))
    data.remove_abandoned([])
    assert stored(tmp_path) == []
