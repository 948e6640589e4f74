"""Networks that fail at run time, drain, and are warmed up."""

import logging
import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from ecm_localizer import Client, LocalizerServiceError
from model.errors import DeviceError, EngineError
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine
from model.repository import list_models, publish
from model.spec import METADATA_KEY, ModelSpec
from service.errors import ModelUnavailableError
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper
from service.models.served_engine import ServedEngine, ServingConfig
from service.settings import Settings

SECRET = "/srv/secret/libcudnn.so: hostname=gpu-17"


def write_fragile(spec: ModelSpec, path: Path) -> None:
    """Writes a network that fails on an odd number of snippets."""
    dim, classes = spec.feature_dim, len(spec.labels)
    weight_DC = np.linspace(-1, 1, dim * classes, dtype=np.float32).reshape(dim, classes)
    constants = {"pairs": np.array([0, -1, 2 * dim]), "single": np.array([0, -1, dim])}
    graph = helper.make_graph(
        [
            helper.make_node("Reshape", [FEATURES, "pairs"], ["paired"]),
            helper.make_node("Reshape", ["paired", "single"], ["unpaired"]),
            helper.make_node("MatMul", ["unpaired", "weight"], [CAS]),
        ],
        "fragile",
        [
            helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", "snippets", dim]),
            helper.make_tensor_value_info(LENGTHS, TensorProto.INT64, ["batch"]),
        ],
        [helper.make_tensor_value_info(CAS, TensorProto.FLOAT, ["batch", "snippets", classes])],
        [
            numpy_helper.from_array(array, name)
            for name, array in (constants | {"weight": weight_DC}).items()
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    onnx.save(model, path)


def write_scaled(
    spec: ModelSpec,
    path: Path,
    *,
    cut: int = 0,
    factor: float = 1.0,
    mean: bool = False,
    shape: list[Any] | None = None,
) -> None:
    """Writes a network that multiplies the features by numbers.

    Args:
        spec: spec of the model.
        path: destination.
        cut: snippets by which the output is shorter than the features.
        factor: factor on all logits.
        mean: whether the output is the mean over the snippets.
        shape: declared shape of the output; the right one by default.
    """
    dim, classes = spec.feature_dim, len(spec.labels)
    constants = {
        "weight": np.ones((dim, classes), np.float32),
        "factor": np.float32(factor),
        "one": np.float32(1),
        "start": np.array([cut]),
        "end": np.array([2**31]),
        "axis": np.array([1]),
    }
    nodes = [
        helper.make_node("MatMul", [FEATURES, "weight"], ["products"]),
        helper.make_node("Add", ["products", "one"], ["above zero"]),
        helper.make_node("Mul", ["above zero", "factor"], ["scaled"]),
        helper.make_node("ReduceMean", ["scaled", "axis"], [CAS], keepdims=0)
        if mean
        else helper.make_node("Slice", ["scaled", "start", "end", "axis"], [CAS]),
    ]
    declared = shape or ["batch", "out", classes]
    graph = helper.make_graph(
        nodes,
        "scaled",
        [
            helper.make_tensor_value_info(FEATURES, TensorProto.FLOAT, ["batch", "snippets", dim]),
            helper.make_tensor_value_info(LENGTHS, TensorProto.INT64, ["batch"]),
        ],
        [helper.make_tensor_value_info(CAS, TensorProto.FLOAT, declared)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    model.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    onnx.save(model, path)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cut": 2}, r"shape \(1, 16, 3\), got float32 of shape \(1, 14, 3\)"),
        ({"factor": np.inf}, "NaN or infinite"),
        ({"factor": np.nan}, "NaN or infinite"),
        ({"shape": ["batch", 16, 3]}, "any number of videos and snippets"),
        ({"mean": True, "shape": ["batch", 3]}, "cas with 3 axes"),
    ],
)
def test_a_network_is_examined_before_it_is_served(
    spec: ModelSpec, tmp_path: Path, wrong: dict[str, Any], words: str
) -> None:
    """An output of another length, rank or kind of value makes the version fail with a reason."""
    root = tmp_path / "odd"
    publish(root, "right", lambda path: write_scaled(spec, path))
    publish(root, "wrong", lambda path: write_scaled(spec, path, **wrong))
    keeper = ModelKeeper(Catalog(), root, ServingConfig(), {})
    assert [entry.state for entry in keeper.catalog.entries] == ["ready", "failed"]
    assert re.search(words, str(keeper.catalog.versions("wrong")[0].reason))


@pytest.fixture
def fragile(tmp_path: Path, spec: ModelSpec) -> Path:
    """A repository with one model, `small`, that fails on an odd number of snippets."""
    root = tmp_path / "fragile"
    publish(root, "small", lambda path: write_fragile(spec, path))
    return root


@pytest.fixture
def keeper(repository: Path) -> ModelKeeper:
    """A keeper of a repository with `small`, version 1."""
    return ModelKeeper(Catalog(), repository, ServingConfig(), {})


@contextmanager
def dead(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Makes every run of a network fail, as on a lost GPU."""

    def fail(*arguments: object) -> None:
        raise RuntimeError(f"CUDA failure 719: {SECRET}")

    with monkeypatch.context() as patched:
        patched.setattr("onnxruntime.InferenceSession.run", fail)
        yield


def post(url: str, features_TD: np.ndarray, **params: object) -> httpx.Response:
    headers = {"Content-Type": "application/octet-stream", "X-Shape": f"{len(features_TD)},8"}
    return httpx.post(
        f"{url}/localize", params=params, content=features_TD.tobytes(), headers=headers
    )


def test_an_input_that_the_network_fails_on_costs_itself_alone(
    serving, fragile: Path, features_TD: np.ndarray, caplog: pytest.LogCaptureFixture
) -> None:
    """500 with a problem that names the shape; the model stays ready; the log has the reason."""
    with serving(Settings(repository=fragile)) as url:
        for _ in range(2):
            refused = post(url, features_TD[:39])
            assert refused.status_code == 500
            assert refused.json()["type"] == "urn:ecm-localizer:engine-failed"
            assert "(1, 39, 8)" in refused.json()["detail"]
            assert post(url, features_TD).status_code == 200
        assert httpx.get(f"{url}/health").json()["status"] == "ok"
        inputs = [{"name": FEATURES, "datatype": "FP32", "shape": [1, 3, 8], "data": [0.5] * 24}]
        answer = httpx.post(f"{url}/v2/models/small/infer", json={"inputs": inputs})
        assert (answer.status_code, list(answer.json())) == (500, ["error"])
    assert "model small/1: " in caplog.text
    assert "Reshape" in caplog.text


def test_a_dead_network_is_reported_and_the_previous_version_answers(
    serving,
    repository: Path,
    spec: ModelSpec,
    features_TD: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """503 for its requests, without details that belong in the log only."""
    with serving(Settings(repository=repository)) as url:
        with dead(monkeypatch):
            refused = post(url, features_TD)
        assert (refused.status_code, refused.json()["type"]) == (
            503,
            "urn:ecm-localizer:model-unavailable",
        )
        assert post(url, features_TD).status_code == 503
        assert httpx.get(f"{url}/health/ready").status_code == 503
        (listed,) = httpx.get(f"{url}/models").json()["models"]
        assert (listed["state"], "stopped working" in listed["error"]) == ("failed", True)
        assert 'state="failed",version="1"} 1.0' in httpx.get(f"{url}/metrics").text
        index = httpx.post(f"{url}/v2/repository/index").json()
        assert (index[0]["state"], "stopped working" in index[0]["reason"]) == ("UNAVAILABLE", True)
        assert httpx.get(f"{url}/v2/models/small/ready").status_code == 503
        texts = refused.text + str(listed) + str(index)
        assert not any(word in texts for word in (*SECRET.split(), "Traceback", "CUDA"))
        healed = httpx.post(f"{url}/models/small/load")
        assert healed.json()["versions"][0]["state"] == "ready"
        assert post(url, features_TD).status_code == 200


@contextmanager
def little_memory(monkeypatch: pytest.MonkeyPatch, most_numbers: int) -> Iterator[None]:
    """Has onnxruntime find no memory for larger features than these."""
    run = onnxruntime.InferenceSession.run

    def run_if_it_fits(
        self: object, names: object, inputs: dict[str, np.ndarray], *more: Any
    ) -> Any:
        if inputs[FEATURES].size > most_numbers:
            raise RuntimeError(f"Failed to allocate memory for requested buffer: {SECRET}")
        return run(self, names, inputs, *more)

    with monkeypatch.context() as patched:
        patched.setattr("onnxruntime.InferenceSession.run", run_if_it_fits)
        yield


@pytest.mark.parametrize("max_batch", [0, 2])
def test_features_that_do_not_fit_into_memory_cost_themselves_alone(
    serving,
    repository: Path,
    features_TD: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    max_batch: int,
) -> None:
    """503 and a problem that names the shape; the model stays ready, and is not run on zeros.

    That run needs memory, too: where nothing is left, the model would count as dead.
    """
    with serving(Settings(repository=repository, max_batch=max_batch)) as url:
        with little_memory(monkeypatch, 20 * features_TD.shape[1]):
            refused = post(url, features_TD)
            assert post(url, features_TD[:5]).status_code == 200
        with little_memory(monkeypatch, 0):
            assert post(url, features_TD[:5]).status_code == 503
            assert httpx.get(f"{url}/health/ready").is_success
        assert post(url, features_TD).status_code == 200
    told = refused.json()
    assert (refused.status_code, told["type"]) == (503, "urn:ecm-localizer:out-of-memory")
    assert refused.headers["Content-Type"] == "application/problem+json"
    assert refused.headers["Retry-After"] == "1"
    assert f"(1, {len(features_TD)}, 8)" in told["detail"]
    assert SECRET not in refused.text
    assert SECRET in caplog.text


def test_an_older_version_answers_for_a_dead_one(
    keeper: ModelKeeper,
    repository: Path,
    exported: bytes,
    features_TD: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Unless the request names the dead version, which the next refresh loads again."""
    publish(repository, "small", lambda path: path.write_bytes(exported))
    keeper.refresh()
    dead_one = keeper.catalog.find("small", None)
    assert dead_one.engine
    with dead(monkeypatch), pytest.raises(ModelUnavailableError, match="version 2"):
        dead_one.engine.cas(features_TD)
    assert keeper.catalog.find("small", None).published.version == 1
    with pytest.raises(ModelUnavailableError, match="stopped working"):
        keeper.catalog.find("small", 2)
    keeper.refresh()
    entry = keeper.catalog.find("small", None)
    assert entry.published.version == 2
    assert entry.engine is not dead_one.engine


def test_a_dead_network_is_tried_at_every_look_until_it_runs(
    keeper: ModelKeeper, features_TD: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if CUDA is required and was lost meanwhile."""
    (entry,) = keeper.catalog.entries
    assert entry.engine
    with dead(monkeypatch):
        with pytest.raises(ModelUnavailableError):
            entry.engine.cas(features_TD)
        for _ in range(2):
            keeper.refresh()
            (entry,) = keeper.catalog.entries
            assert (entry.state, entry.engine) == ("failed", None)
            assert SECRET not in (entry.reason or "")
    with monkeypatch.context() as patched:
        absent = DeviceError("CUDA is required")
        patched.setattr("service.models.precision.OnnxEngine", _raising(absent))
        keeper.refresh()
        assert keeper.catalog.entries[0].reason == "CUDA is required"
    keeper.refresh()
    assert keeper.catalog.find("small", 1).ready


def _raising(error: Exception) -> Callable[..., OnnxEngine]:
    def fail(*arguments: object) -> OnnxEngine:
        raise error

    return fail


def test_many_failures_at_once_are_examined_once(
    keeper: ModelKeeper, features_TD: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All requests in flight get the same error."""
    engine = keeper.catalog.entries[0].engine
    assert engine
    runs, errors = [], []

    def fail(*arguments: object) -> None:
        runs.append(arguments)
        raise RuntimeError("lost")

    def ask() -> None:
        try:
            engine.cas(features_TD)
        except ModelUnavailableError as error:
            errors.append(str(error))

    monkeypatch.setattr("onnxruntime.InferenceSession.run", fail)
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 8 + 1
    assert len(errors) == 8
    assert len(set(errors)) == 1


def test_removed_versions_drain_until_their_last_request_is_done(
    keeper: ModelKeeper, exported: bytes, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The log and `draining` report them; an unused one is freed at once."""
    caplog.set_level(logging.INFO)
    used = keeper.catalog.find("small", 1)
    keeper.unload("small")
    assert [engine.published.version for engine in keeper.catalog.draining] == [1]
    assert "model small/1 is draining" in caplog.text
    assert "freed" not in caplog.text
    del used
    assert not keeper.catalog.draining
    assert "model small/1 is freed" in caplog.text
    caplog.clear()
    keeper.load("small")
    keeper.unload("small")
    assert not keeper.catalog.draining
    assert "draining" not in caplog.text


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[threading.Event, threading.Event]]:
    """Blocks runs of networks; yields an event that a run sets and an event that releases it."""
    came, go_on = threading.Event(), threading.Event()
    cas = ServedEngine.cas

    def wait(*arguments: Any) -> np.ndarray:
        came.set()
        assert go_on.wait(30)
        return cas(*arguments)

    monkeypatch.setattr(ServedEngine, "cas", wait)
    yield came, go_on
    go_on.set()


def test_metrics_report_draining_versions(
    serving,
    repository: Path,
    features_TD: np.ndarray,
    held_up: tuple[threading.Event, threading.Event],
) -> None:
    """While a request uses the old version; that request is answered."""
    came, go_on = held_up
    draining = re.compile(r'ecm_model_info{name="small",state="draining",version="1"} 1.0')
    answers = []
    with serving(Settings(repository=repository)) as url:
        asking = threading.Thread(target=lambda: answers.append(post(url, features_TD)))
        asking.start()
        assert came.wait(30)
        assert httpx.post(f"{url}/models/small/unload").is_success
        assert draining.search(httpx.get(f"{url}/metrics").text)
        go_on.set()
        asking.join()
        assert answers[0].status_code == 200
        assert not draining.search(httpx.get(f"{url}/metrics").text)


def test_loading_keeps_no_request_waiting(
    serving, repository: Path, features_TD: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A version that loads slowly; /models and the other calls are answered as well."""
    with serving(Settings(repository=repository)) as url:
        came, go_on = threading.Event(), threading.Event()

        def slow(content: bytes, config: EngineConfig) -> OnnxEngine:
            came.set()
            assert go_on.wait(30)
            return OnnxEngine(content, config)

        monkeypatch.setattr("service.models.precision.OnnxEngine", slow)
        content = list_models(repository)[0].path.read_bytes()
        publish(repository, "small", lambda path: path.write_bytes(content))
        loading = threading.Thread(target=httpx.post, args=[f"{url}/models/small/load"])
        loading.start()
        assert came.wait(30)
        with Client(url, retries=0) as client:
            assert client.localize(features_TD).version == 1
            assert len(httpx.get(f"{url}/models").json()["models"]) == 1
            assert httpx.get(f"{url}/health/ready").is_success
            go_on.set()
            loading.join()
            assert client.localize(features_TD).version == 2


@pytest.mark.parametrize(("warm_snippets", "expected"), [((), [16]), ((5, 40, 1), [5, 40, 1])])
def test_networks_are_run_on_the_lengths_that_shall_be_fast(
    exported: bytes,
    repository: Path,
    warm_snippets: tuple[int, ...],
    expected: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Lengths of the setting, or of the model's training; both times are reported."""
    seen = []
    run = OnnxEngine.cas_batch

    def watched(self: OnnxEngine, features_BTD: np.ndarray, *arguments: object) -> np.ndarray:
        seen.append(features_BTD.shape[1])
        return run(self, features_BTD, *arguments)

    monkeypatch.setattr(OnnxEngine, "cas_batch", watched)
    engine = ServedEngine(
        list_models(repository)[0], exported, ServingConfig(warm_snippets=warm_snippets)
    )
    assert expected == seen
    assert engine.load_s > 0
    assert engine.warm_up_s > 0


def test_models_report_their_loading_time(url: str) -> None:
    """GET /models reports both times."""
    (listed,) = httpx.get(f"{url}/models").json()["models"]
    assert listed["load_s"] >= 0
    assert listed["warm_up_s"] >= 0


def test_a_version_that_fails_its_first_run_is_not_served(
    repository: Path, spec: ModelSpec, serving
) -> None:
    """It replaces none that works; clients see no internals."""
    odd = replace(spec, snippets=17)
    publish(repository, "small", lambda path: write_fragile(odd, path))
    with serving(Settings(repository=repository)) as url:
        listed = httpx.get(f"{url}/models").json()["models"]
        assert [model["state"] for model in listed] == ["ready", "failed"]
        assert listed[1]["error"].startswith("the network failed on features of shape (1, 17, 8)")
        with Client(url, retries=0) as client:
            answer = client.localize(np.zeros((4, 8), np.float32))
            assert answer.version == 1
            with pytest.raises(LocalizerServiceError, match="not served"):
                client.localize(np.zeros((4, 8), np.float32), version=2)


def test_engine_error_keeps_the_error_of_onnxruntime(fragile: Path) -> None:
    """Its reason is the cause of the error, not part of the message."""
    engine = OnnxEngine(list_models(fragile)[0].path.read_bytes())
    with pytest.raises(EngineError, match=r"\(1, 3, 8\)") as caught:
        engine.cas(np.zeros((3, 8), np.float32))
    assert "Reshape" in str(caught.value.__cause__)
    assert "Reshape" not in str(caught.value)
