"""The service below a path of a proxy that strips the path, or does not."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import ValidationError

from ecm_localizer import Client
from service.configuration import read_configuration
from service.http.api_keys import new_key
from service.settings import Settings

INFER, KEPT = new_key("camera", frozenset({"infer"}))


@pytest.fixture(scope="module")
def process(launch_for_module, motion_repository: Path, tmp_path_factory: pytest.TempPathFactory):
    """A service below /apps/ecm."""
    data = tmp_path_factory.mktemp("data")
    return launch_for_module(
        "serve", repository=motion_repository, data=data, root_path="apps/ecm/", wait_s=0
    )


@pytest.fixture(params=["", "/apps/ecm"], ids=["stripped", "kept"])
def base(request: pytest.FixtureRequest, process) -> str:
    """URL that the proxy calls."""
    return process.url + request.param


def test_links_begin_with_the_prefix(base: str, film, tmp_path: Path) -> None:
    """Location and the server in the description; the links of the API page are relative."""
    video = film(tmp_path / "a.mp4", np.arange(50) / 25).read_bytes()
    answer = httpx.post(f"{base}/jobs", content=video, headers={"Content-Type": "video/mp4"})
    assert answer.status_code == 202
    assert answer.headers["location"] == f"/apps/ecm/jobs/{answer.json()['id']}"
    assert '"docs/docs.js"' in httpx.get(f"{base}/docs").text
    assert '"openapi.json"' in httpx.get(f"{base}/docs/docs.js").text
    description = httpx.get(f"{base}/openapi.json").json()
    assert [server["url"] for server in description["servers"]] == ["/apps/ecm"]


def test_every_route_is_below_the_prefix(base: str) -> None:
    """Also errors, the Open Inference Protocol and the metrics; Client takes the whole URL."""
    with Client(base) as client:
        assert client.health().status == "ok"
    assert httpx.get(f"{base}/v2/health/ready").status_code == 200
    assert httpx.get(f"{base}/metrics").status_code == 200
    assert "error" in httpx.get(f"{base}/v2/absent").json()
    assert httpx.get(f"{base}/absent").json()["detail"].startswith("GET ")


def test_other_paths_are_not_below_the_prefix(process) -> None:
    """Neither a longer name nor a part of the prefix."""
    for path in ("/apps/ecmx/health", "/apps", "/apps/ecm/apps/health"):
        assert httpx.get(process.url + path).status_code == 404


@pytest.fixture
def locked(serving, repository: Path) -> Iterator[str]:
    """A service with a key that is no administrator's."""
    settings = Settings(repository=repository, api_keys=(KEPT.line(),), root_path="/ecm")
    with serving(settings) as url:
        yield url


def test_the_prefix_evades_no_key(locked: str) -> None:
    """Open paths stay open, and all others need a key with their scope."""
    key = {"Authorization": f"Bearer {INFER}"}
    for prefix in ("", "/ecm", "/ecm/ecm", "/ecm/ecm/ecm"):
        assert httpx.get(f"{locked}{prefix}/health/live").status_code == 200
        assert httpx.get(f"{locked}{prefix}/models").status_code == 401
        assert httpx.get(f"{locked}{prefix}/models", headers=key).status_code == 200
        unload = f"{locked}{prefix}/models/small/unload"
        assert httpx.post(unload, headers=key).status_code == 403


@pytest.mark.parametrize(
    ("text", "path"), [("", ""), ("/", ""), ("ecm", "/ecm"), ("/a/b/", "/a/b")]
)
def test_slashes_are_completed(text: str, path: str) -> None:
    """One at the start, none at the end."""
    assert path == read_configuration({"root_path": text}).settings.root_path


@pytest.mark.parametrize("text", ["a b", "/a?b", "/a//b", "https://example.org/ecm", "/%41"])
def test_what_is_no_path_is_refused(text: str) -> None:
    """With an example."""
    with pytest.raises(ValidationError, match="expected a path such as /ecm"):
        Settings(root_path=text)
