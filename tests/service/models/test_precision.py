"""The precision in which a version is served."""

import logging
from dataclasses import replace
from pathlib import Path

import httpx
import numpy as np
import pytest

from model.inference.engine import EngineConfig
from model.int8 import Int8Network, measure_ranges
from model.network import Ecm
from model.repository import hash_file, list_models
from model.spec import ModelSpec
from model.whole_file import sha256_of
from service.models import precision
from service.models.catalog import Catalog, CatalogEntry
from service.models.keeper import ModelKeeper
from service.models.served_engine import ServingConfig
from service.settings import Settings


@pytest.fixture
def faster(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets int8 win each race; a network as small as that of the tests gains nothing."""
    monkeypatch.setattr(precision, "_race", lambda *_: 3.0)


def add_int8(repository: Path, network: Ecm, spec: ModelSpec, **changes: object) -> Path:
    """Writes the int8 form of the repository's model beside it, and returns its path."""
    path = list_models(repository)[0].int8.path
    videos = [np.random.default_rng(0).standard_normal((50, 8), dtype=np.float32)]
    form = Int8Network.of(network, measure_ranges(network, videos))
    form.write(replace(spec, precision="int8", **changes), path)
    hash_file(path).write_text(f"{sha256_of(path)}  {path.name}\n")
    return path


def keep(repository: Path, setting: str = "auto", **engine: object) -> ModelKeeper:
    config = ServingConfig(EngineConfig(**engine), precision=setting)
    return ModelKeeper(Catalog(), repository, config, {})


def only_entry(keeper: ModelKeeper) -> CatalogEntry:
    (entry,) = keeper.catalog.entries
    return entry


def precision_of(keeper: ModelKeeper) -> str:
    engine = only_entry(keeper).engine
    return engine.spec.precision if engine else "none"


def test_the_faster_one_is_served(
    repository: Path, network: Ecm, spec: ModelSpec, monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """By the outcome of a race, which the log and /models state."""
    add_int8(repository, network, spec)
    caplog.set_level(logging.INFO)
    for gain, winner in ((3.0, "int8"), (1.05, "float32"), (0.5, "float32")):
        monkeypatch.setattr(precision, "_race", lambda *_, gain=gain: gain)
        assert precision_of(keep(repository)) == winner
    assert "is served on cpu in int8, because int8 took 1/3.0 of the time" in caplog.text


def test_a_race_measures_both(repository: Path, network: Ecm, spec: ModelSpec) -> None:
    """The real race has an outcome above 0."""
    add_int8(repository, network, spec)
    assert precision_of(keep(repository)) in ("int8", "float32")


def test_a_setting_decides(
    repository: Path, network: Ecm, spec: ModelSpec, serving, features_TD: np.ndarray, faster: None
) -> None:
    """Both give nearly the same class scores; /models names the precision and the reason."""
    add_int8(repository, network, spec)
    scores = []
    for setting, name in (("fp32", "float32"), ("int8", "int8")):
        with serving(Settings(repository=repository, precision=setting)) as url:
            (model,) = httpx.get(f"{url}/models").json()["models"]
            assert (model["precision"], model["precision_reason"]) == (name, "it is set")
            answer = httpx.post(f"{url}/localize", json={"features": features_TD.tolist()}).json()
            scores.append([one["score"] for one in sorted(answer["classes"], key=str)])
    np.testing.assert_allclose(scores[0], scores[1], atol=0.05)


def test_int8_that_cannot_be_used_leaves_float32(
    repository: Path, network: Ecm, spec: ModelSpec, faster: None
) -> None:
    """A damaged file, one of another network, a failed proof; the reason is stated."""
    path = add_int8(repository, network, spec)
    path.write_bytes(path.read_bytes()[:-9])
    keeper = keep(repository)
    assert precision_of(keeper) == "float32"
    assert "SHA-256" in only_entry(keeper).engine.precision_reason
    add_int8(repository, network, spec, labels=("a", "b", "c"))
    keeper = keep(repository)
    assert precision_of(keeper) == "float32"
    assert "of another network" in only_entry(keeper).engine.precision_reason


def test_int8_that_is_set_has_to_be_there(repository: Path) -> None:
    """A version without it is not served, and the reason has the remedy; a GPU has no int8."""
    entry = only_entry(keep(repository, "int8"))
    assert entry.state == "failed"
    assert "expected model.int8.onnx beside the model file; export it with --int8" in entry.reason


def test_a_file_that_comes_or_goes_is_noticed(
    repository: Path, network: Ecm, spec: ModelSpec, faster: None
) -> None:
    """The version is loaded again, also when it is published while another race runs."""
    keeper = keep(repository)
    assert precision_of(keeper) == "float32"
    path = add_int8(repository, network, spec)
    keeper.refresh()
    assert precision_of(keeper) == "int8"
    path.unlink()
    keeper.refresh()
    assert precision_of(keeper) == "float32"
