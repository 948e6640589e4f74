"""Kept class activation sequences are localized again as the features would be."""

import io
import os
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from model.localization.localize import scale_cas
from service.errors import ActivationGoneError
from service.localize.activations import Activation, ActivationFacts, Activations
from service.settings import Settings

NPY = {"Content-Type": "application/x-npy"}
FACTS = ActivationFacts("small", 1, None, 20.0, None)


def npy(values: np.ndarray) -> bytes:
    file = io.BytesIO()
    np.save(file, values)
    return file.getvalue()


@pytest.fixture
def client(serving, repository: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a service for features, whose data folder does not exist yet."""
    with (
        serving(Settings(repository=repository, data=tmp_path / "data")) as url,
        httpx.Client(base_url=url) as client,
    ):
        yield client


def kept(client: httpx.Client, features_TD: np.ndarray) -> dict:
    """Returns an answer whose activation is kept."""
    address = "/localize?include=activation"
    return client.post(address, content=npy(features_TD), headers=NPY).json()


def test_ordinary_requests_keep_nothing(
    client: httpx.Client, features_TD: np.ndarray, tmp_path: Path
) -> None:
    """Clients that do not ask for it pay nothing, and leave no file."""
    answer = client.post("/localize", content=npy(features_TD), headers=NPY).json()
    assert answer["activation"] is None
    assert not (tmp_path / "data").exists()


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    seed=st.integers(0, 3),
    options=st.fixed_dictionaries(
        {},
        optional={
            "class_threshold": st.floats(0, 1),
            "nms_iou": st.floats(0, 1),
            "min_score": st.floats(-1, 2),
            "max_segments": st.integers(0, 20),
        },
    ),
)
def test_another_localization_equals_a_fresh_one(
    client: httpx.Client, seed: int, options: dict
) -> None:
    """All of the answer except its times, for any options."""
    snippets = (1, 7, 40, 200)[seed]
    features_TD = np.random.default_rng(seed).standard_normal((snippets, 8), dtype=np.float32)
    id_ = kept(client, features_TD)["activation"]
    again = client.post(f"/activations/{id_}/localize", json=options).json()
    fresh = client.post("/localize", params=options, content=npy(features_TD), headers=NPY).json()
    assert again["activation"] == id_
    for answer in (again, fresh):
        del answer["timing_ms"], answer["activation"]
    assert again == fresh


def test_the_values_are_those_that_localization_thresholds(
    client: httpx.Client, features_TD: np.ndarray
) -> None:
    """A row a snippet, a column a label of the model; headers have the clock."""
    address = "/localize?include=cas"
    cas = client.post(address, content=npy(features_TD), headers=NPY).json()["cas"]
    answer = client.get(f"/activations/{kept(client, features_TD)['activation']}")
    assert answer.headers["content-type"] == "application/x-npy"
    values_TC = np.load(io.BytesIO(answer.content))
    assert values_TC.dtype == np.float32
    expected_TC = scale_cas(np.array(cas["logits"], np.float32), "video")
    np.testing.assert_allclose(values_TC, expected_TC, atol=1e-6)
    assert cas["labels"] == ["jump", "run", "throw"]
    assert float(answer.headers["x-snippet-s"]) == 0.5
    assert float(answer.headers["x-first-snippet-s"]) == 0.25


@pytest.mark.parametrize("id_", ["0" * 32, "x", "%2e%2e%2f%2e%2e", "0" * 500, "%00" * 32])
def test_unknown_activations_are_gone(client: httpx.Client, id_: str) -> None:
    """Whatever their id looks like."""
    for answer in (
        client.get(f"/activations/{id_}"),
        client.post(f"/activations/{id_}/localize", json={}),
    ):
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("content", "media_type", "status"),
    [
        (b"{}", "text/plain", 415),
        (b"{", "application/json", 422),
        (b"", "application/json", 422),
        (b'{"model": "small"}', "application/json", 422),
        (b'{"min_score": "NaN"}', "application/json", 422),
        (b'{"max_segments": -1}', "application/json", 422),
        (b" " * 70_000, "application/json", 413),
    ],
)
def test_other_options_are_refused(
    client: httpx.Client, features_TD: np.ndarray, content: bytes, media_type: str, status: int
) -> None:
    """A page of another origin cannot send JSON without leave."""
    address = f"/activations/{kept(client, features_TD)['activation']}/localize"
    answer = client.post(address, content=content, headers={"Content-Type": media_type})
    assert answer.status_code == status


def test_a_changed_model_makes_its_activations_gone(
    client: httpx.Client, features_TD: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its labels and thresholds may be others."""
    id_ = kept(client, features_TD)["activation"]
    find = Activations.find

    def find_older(self: Activations, id_: str) -> Activation:
        return Activation(find(self, id_).cas_TC, FACTS)

    monkeypatch.setattr(Activations, "find", find_older)
    answer = client.post(f"/activations/{id_}/localize", json={})
    assert answer.json()["type"] == "urn:ecm-localizer:activation-gone"


def test_the_oldest_activations_make_room(tmp_path: Path) -> None:
    """Within the bytes; one that never fits is not kept."""
    store = Activations(tmp_path, 18_000, 60.0)
    activation = Activation(np.zeros((100, 10), np.float32), FACTS)
    ids = [f"{number:032}" for number in range(5)]
    for age_s, id_ in zip(range(50, 0, -10), ids, strict=True):
        assert store.keep(id_, activation) == id_
        used_s = time.time() - age_s
        os.utime(tmp_path / "activations" / f"{id_}.npz", (used_s, used_s))
    left = {path.stem for path in (tmp_path / "activations").glob("*.npz")}
    assert left == set(ids[-3:])
    assert store.keep("f" * 32, Activation(np.zeros((1000, 10), np.float32), FACTS)) is None


def test_activations_end_after_a_while_without_use(tmp_path: Path) -> None:
    """The next one that is kept removes them from the disk."""
    store = Activations(tmp_path, 10**9, 60.0)
    activation = Activation(np.zeros((100, 10), np.float32), FACTS)
    for id_ in ("a" * 32, "b" * 32):
        store.keep(id_, activation)
    path = tmp_path / "activations" / f"{'a' * 32}.npz"
    os.utime(path, (time.time() - 61, time.time() - 61))
    with pytest.raises(ActivationGoneError):
        store.find("a" * 32)
    store.keep("c" * 32, activation)
    assert not path.exists()
    assert store.find("b" * 32).facts == FACTS


def test_damaged_files_and_full_disks_lose_the_activation_only(tmp_path: Path) -> None:
    """The answer itself does not depend on it."""
    store = Activations(tmp_path, 10**9, 60.0)
    activation = Activation(np.zeros((100, 10), np.float32), FACTS)
    store.keep("a" * 32, activation)
    (tmp_path / "activations" / f"{'a' * 32}.npz").write_bytes(b"PK\x03\x04")
    with pytest.raises(ActivationGoneError):
        store.find("a" * 32)
    (tmp_path / "blocked").write_text("no folder")
    assert Activations(tmp_path / "blocked", 10**9, 60.0).keep("a" * 32, activation) is None
