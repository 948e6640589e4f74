"""Readiness follows what the service needs."""

import shutil
from pathlib import Path

import httpx

from ecm_localizer import Client


def test_a_service_without_its_data_folder_is_not_ready(
    launch, motion_repository: Path, tmp_path: Path
) -> None:
    """Ready before; afterwards uploads get 503 with the reason, and a restart heals it."""
    service = launch("serve", repository=motion_repository, data=tmp_path / "data", jobs=0)
    assert httpx.get(f"{service.url}/health/ready").status_code == 200
    with Client(service.url) as client:
        assert client.jobs().jobs == []
    shutil.rmtree(tmp_path / "data")
    assert httpx.get(f"{service.url}/health/ready").status_code == 503
    assert httpx.get(f"{service.url}/health").json()["status"] == "degraded"
    refused = httpx.post(
        f"{service.url}/localize", content=b"video", headers={"Content-Type": "video/mp4"}
    )
    assert (refused.status_code, refused.json()["type"]) == (
        503,
        "urn:ecm-localizer:jobs-unavailable",
    )
    service.stop()
    service.start()
    assert httpx.get(f"{service.url}/health/ready").status_code == 200
