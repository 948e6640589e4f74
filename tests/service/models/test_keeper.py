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
from model.repository import PublishedModel, publish
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


def test_an_unreadable_folder_affects_its_model_only(
    repository: Path, publish_one: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the start and at a reload; the versions that the model has stay, and it recovers."""
    publish_one("other")
    broken = {repository / "other"}
    list_folder = Path.iterdir

    def iterdir(folder: Path) -> Iterator[Path]:
        if folder in broken:
            raise PermissionError(13, "Permission denied", str(folder))
        return list_folder(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    keeper = ModelKeeper(Catalog(), repository, ServingConfig(), {})
    assert states(keeper) == [("small", 1, "ready")]
    broken.clear()
    keeper.refresh()
    broken.add(repository / "other")
    publish_one("small")
    keeper.refresh()
    assert states(keeper) == [("other", 1, "ready"), ("small", 1, "ready"), ("small", 2, "ready")]


def test_a_pipe_in_the_place_of_a_file_is_a_failed_version(
    keeper: ModelKeeper, publish_one: Publish
) -> None:
    """For the network and for its hash: nothing waits for somebody to write."""
    for name, file in (("network", "model.onnx"), ("hash", "model.onnx.sha256")):
        path = publish_one(name).with_name(file)
        path.unlink()
        os.mkfifo(path)
    keeper.refresh()
    assert states(keeper) == [
        ("hash", 1, "failed"),
        ("network", 1, "failed"),
        ("small", 1, "ready"),
    ]
    assert "regular file" in str(keeper.catalog.versions("network")[0].reason)


def test_a_late_hash_file_is_seen(keeper: ModelKeeper, publish_one: Publish) -> None:
    """An empty one is replaced without a change of the model file, as rsync and cp do."""
    path = publish_one("late")
    hash_path = path.with_name("model.onnx.sha256")
    content = hash_path.read_text()
    hash_path.write_text("")
    keeper.refresh()
    assert states(keeper)[0] == ("late", 1, "failed")
    hash_path.write_text(content)
    keeper.refresh()
    assert states(keeper)[0] == ("late", 1, "ready")
    engine = keeper.catalog.find("late", 1).engine
    hash_path.unlink()
    keeper.refresh()
    assert keeper.catalog.find("late", 1).engine is engine  # the same bytes need no new network
    hash_path.write_text("0" * 64)
    keeper.refresh()
    assert "still is" in str(keeper.catalog.find("late", 1).reason)


def test_a_fault_that_passes_is_looked_at_again(
    keeper: ModelKeeper, publish_one: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any change of the files, after growing pauses, and logged once."""
    tries = []

    def read(model: PublishedModel) -> tuple[bytes, str]:
        tries.append(model)
        raise OSError(5, "Input/output error")

    publish_one("flaky")
    now_s = 100.0
    monkeypatch.setattr("service.models.keeper.monotonic", lambda: now_s)
    with monkeypatch.context() as patched:
        patched.setattr(PublishedModel, "read", read)
        for _ in range(600):
            keeper.refresh()
            now_s += 1
    assert 5 < len(tries) < 15
    assert states(keeper)[0] == ("flaky", 1, "failed")
    now_s += 300
    keeper.refresh()
    assert states(keeper)[0] == ("flaky", 1, "ready")


def test_a_version_of_too_many_digits_is_a_failed_version(
    keeper: ModelKeeper, publish_one: Publish, repository: Path
) -> None:
    """It has a reason, is not chosen as the newest, and the next version counts on below it."""
    publish_one("small").parent.rename(repository / "small" / ("9" * 20))
    keeper.refresh()
    assert states(keeper) == [("small", 1, "ready"), ("small", int("9" * 20), "failed")]
    assert "at most 15 digits" in str(keeper.catalog.versions("small")[-1].reason)
    assert keeper.catalog.find("small", None).published.version == 1
    assert publish_one("small").parent.name == "2"


def test_versions_that_open_jobs_need_are_kept_for_them_alone(
    repository: Path, publish_one: Publish
) -> None:
    """Requests do not see them; a rolled back version is not the newest; unloading takes them."""
    needed: set[tuple[str, int]] = {("small", 1), ("small", 7), ("absent", 1)}
    publish_one("small")
    keeper = ModelKeeper(Catalog(), repository, ServingConfig(), {"*": "newest"})
    catalog = keeper.catalog
    keeper.keep_also(lambda: needed)
    assert states(keeper) == [("small", 2, "ready")]
    assert [entry.name for entry in catalog.kept] == ["small/1"]
    assert catalog.find_pinned("small", 1).engine
    with pytest.raises(UnknownModelError):
        catalog.find("small", 1)
    needed.add(("small", 2))
    shutil.rmtree(repository / "small" / "2")
    keeper.refresh()
    assert states(keeper) == [("small", 1, "ready")]
    assert catalog.find("small", None).published.version == 1
    assert catalog.find_pinned("small", 2).ready
    keeper.unload("small")
    with pytest.raises(ModelUnavailableError):
        catalog.find_pinned("small", 1)
    keeper.load("small")
    needed.clear()
    keeper.refresh()
    assert catalog.kept == ()


def test_loading_a_model_without_a_usable_version_is_refused(
    keeper: ModelKeeper, publish_one: Publish
) -> None:
    """With the reason."""
    publish_one("broken").write_bytes(b"no network")
    with pytest.raises(ModelUnavailableError, match=r"'broken' is not served: .*SHA-256"):
        keeper.load("broken")
