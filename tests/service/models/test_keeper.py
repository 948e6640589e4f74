"""Models appear, change and disappear while requests are answered."""

import gc
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pytest
import tritonclient.http
from tritonclient.utils import InferenceServerException

from ecm_localizer import Client, LocalizerServiceError
from model.repository import publish
from service.errors import ModelUnavailableError, UnknownModelError
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper, kept
from service.models.served_engine import ServingConfig
from service.settings import Settings

Publish = Callable[[str], Path]


@pytest.fixture
def publish_one(repository: Path, exported: bytes) -> Publish:
    """Publishes one more version of a model; always the same network."""
    return lambda name: publish(repository, name, lambda path: path.write_bytes(exported)).path


@pytest.fixture
def keeper(repository: Path) -> ModelKeeper:
    """A keeper of a repository with `small`, version 1."""
    return ModelKeeper(Catalog(), repository, ServingConfig(), {})


def states(keeper: ModelKeeper) -> list[tuple[str, int, str]]:
    return [(e.published.name, e.published.version, e.state) for e in keeper.catalog.entries]


def test_versions_come_and_go(keeper: ModelKeeper, publish_one: Publish, repository: Path) -> None:
    """The newest version answers; unchanged ones are not reloaded; removed ones disappear."""
    first = keeper.catalog.find("small", None)
    publish_one("small")
    publish_one("other")
    keeper.refresh()
    assert states(keeper) == [("other", 1, "ready"), ("small", 1, "ready"), ("small", 2, "ready")]
    assert keeper.catalog.find("small", 1) is first
    assert keeper.catalog.find("small", None).published.version == 2
    shutil.rmtree(repository / "small" / "2")
    keeper.refresh()
    assert keeper.catalog.find("small", None) is first
    shutil.rmtree(repository / "small")
    keeper.refresh()
    with pytest.raises(UnknownModelError):
        keeper.catalog.find("small", None)
    assert first.engine  # a request may still use it


def test_a_bad_version_takes_the_place_of_no_good_one(
    keeper: ModelKeeper, publish_one: Publish, repository: Path
) -> None:
    """A damaged new version, or one damaged in place, is reported, and retried when it changes."""
    path = publish_one("small")
    whole = path.read_bytes()
    path.write_bytes(whole[:1000])
    keeper.refresh()
    assert states(keeper) == [("small", 1, "ready"), ("small", 2, "failed")]
    assert keeper.catalog.find("small", None).published.version == 1
    path.write_bytes(whole)
    keeper.refresh()
    assert keeper.catalog.find("small", None).published.version == 2
    path.write_bytes(whole[:1000])
    keeper.refresh()
    entry = keeper.catalog.find("small", 2)
    assert entry.state == "ready"
    assert "the previous one still is" in (entry.error or "")


def test_a_repository_that_cannot_be_read_changes_nothing(
    keeper: ModelKeeper, repository: Path
) -> None:
    """As when a network disk is unreachable for a while."""
    repository.rename(repository.with_name("away"))
    keeper.refresh()
    assert states(keeper) == [("small", 1, "ready")]
    repository.with_name("away").rename(repository)
    keeper.refresh()
    assert states(keeper) == [("small", 1, "ready")]


def test_only_the_newest_versions_are_served(repository: Path, publish_one: Publish) -> None:
    """The number of served versions follows the setting."""
    for name in ("small", "small", "other"):
        publish_one(name)
    keeper = ModelKeeper(Catalog(), repository, ServingConfig(), {"*": "newest:2"})
    assert [entry[:2] for entry in states(keeper)] == [("other", 1), ("small", 2), ("small", 3)]
    publish_one("small")
    keeper.refresh()
    assert [entry[:2] for entry in states(keeper)] == [("other", 1), ("small", 3), ("small", 4)]


def test_an_unloaded_model_stays_so_until_it_is_loaded(
    keeper: ModelKeeper, publish_one: Publish
) -> None:
    """Including its new versions."""
    keeper.unload("small")
    publish_one("small")
    keeper.refresh()
    assert states(keeper) == [("small", 1, "unloaded"), ("small", 2, "unloaded")]
    with pytest.raises(ModelUnavailableError, match="unloaded"):
        keeper.catalog.find("small", None)
    keeper.load("small")
    assert states(keeper) == [("small", 1, "ready"), ("small", 2, "ready")]
    for call in (keeper.load, keeper.unload):
        with pytest.raises(UnknownModelError):
            call("other")


def test_new_models_are_found_by_polling(keeper: ModelKeeper, publish_one: Publish) -> None:
    """By reading the repository periodically."""
    with kept(keeper, 0.02):
        publish_one("late")
        while len(keeper.catalog.entries) < 2:
            time.sleep(0.01)
    assert keeper.catalog.find("late", 1).engine


def test_models_are_loaded_and_unloaded_over_http(
    serving, repository: Path, publish_one: Publish, features_TD: np.ndarray
) -> None:
    """By our routes, and by the Open Inference Protocol with the stock client."""
    with serving(Settings(repository=repository)) as url, Client(url, retries=0) as client:
        triton = tritonclient.http.InferenceServerClient(url.removeprefix("http://"))
        publish_one("small")
        answer = httpx.post(f"{url}/models/small/load")
        assert [v["state"] for v in answer.json()["versions"]] == ["ready", "ready"]
        assert client.localize(features_TD).version == 2
        triton.unload_model("small")
        assert not triton.is_model_ready("small")
        assert 'state="unloaded",version="2"} 1.0' in httpx.get(f"{url}/metrics").text
        assert client.health().status == "unavailable"
        with pytest.raises(LocalizerServiceError, match="unloaded"):
            client.localize(features_TD)
        triton.load_model("small")
        assert client.localize(features_TD).segments
        assert httpx.post(f"{url}/models/small/unload").json()["versions"][0]["state"] == "unloaded"
        assert httpx.post(f"{url}/models/other/load").status_code == 404
        with pytest.raises(InferenceServerException, match="no model 'other'"):
            triton.load_model("other")
        triton.close()


@contextmanager
def busy(url: str, features_TD: np.ndarray) -> Iterator[list[BaseException]]:
    """Sends requests without pause from two threads; yields the failures."""
    wrong: list[BaseException] = []
    stopping = threading.Event()

    def ask() -> None:
        with Client(url, retries=0) as client:
            while not stopping.is_set():
                try:
                    assert client.localize(features_TD, model="small").segments
                except BaseException as error:
                    wrong.append(error)

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    try:
        yield wrong
    finally:
        stopping.set()
        for thread in threads:
            thread.join()


def resident_bytes() -> int:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.parametrize("reloads", [10, pytest.param(200, marks=pytest.mark.slow)])
def test_reloads_under_load_fail_no_request_and_keep_no_memory(
    serving, repository: Path, publish_one: Publish, features_TD: np.ndarray, reloads: int
) -> None:
    """Each change adds a newer version and removes the previous one."""
    with serving(Settings(repository=repository)) as url, busy(url, features_TD) as wrong:
        sizes = []
        for _ in range(reloads):
            path = publish_one("small")
            answer = httpx.post(f"{url}/models/small/load", timeout=60)
            assert answer.json()["versions"][-1]["state"] == "ready"
            older = int(path.parent.name) - 1
            shutil.rmtree(repository / "small" / str(older))
            sizes.append(resident_bytes())
    assert wrong == []
    if reloads == 200:
        assert sizes[-1] < 1.05 * sizes[20]
