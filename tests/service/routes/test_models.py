from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import httpx
import numpy as np
import onnx
import pytest

from model.repository import publish
from model.spec import ModelSpec
from service.settings import Settings

Serving = Callable[[Settings], AbstractContextManager[str]]
RAW = {"Content-Type": "application/octet-stream", "X-Shape": "40,8"}


def test_models_are_described(url: str, spec: ModelSpec) -> None:
    """The list, the versions of one model, and one version with its complete spec."""
    (listed,) = httpx.get(f"{url}/models").json()["models"]
    assert (listed["name"], listed["version"], listed["state"]) == ("small", 1, "ready")
    assert (listed["classes"], listed["feature_dim"], listed["device"]) == (3, 8, "cpu")
    assert httpx.get(f"{url}/models/small").json() == {"name": "small", "versions": [listed]}
    detail = httpx.get(f"{url}/models/small/versions/1").json()
    assert detail["spec"]["labels"] == list(spec.labels)
    assert detail["spec"]["localization"]["class_threshold"] == 0.2
    for path in ("other", "small/versions/2", "small/versions/x"):
        assert (
            httpx.get(f"{url}/models/{path}")
            .headers["content-type"]
            .startswith("application/problem+json")
        )


@pytest.fixture
def damaged(repository: Path, exported: bytes) -> Path:
    """A repository with a good model and a damaged, a changed, a foreign and an absent file."""
    write = lambda path: path.write_bytes(exported)  # noqa: E731
    publish(repository, "cut", lambda path: path.write_bytes(b"\x08\x0a garbage"))
    changed = publish(repository, "changed", write).path
    changed.write_bytes(changed.read_bytes() + b"\0")
    foreign = publish(repository, "foreign", write).path
    loaded = onnx.load(foreign)
    del loaded.metadata_props[:]
    foreign.unlink()
    foreign.with_name("model.onnx.sha256").unlink()
    onnx.save(loaded, foreign)
    publish(repository, "gone", write).path.unlink()
    publish(repository, "small", lambda path: path.write_bytes(b"a bad second version"))
    return repository


def test_bad_models_are_reported_and_the_others_served(
    serving: Serving, damaged: Path, features_TD: np.ndarray
) -> None:
    """Each failed file has a reason; the newest good version of a model is served."""
    with serving(Settings(repository=damaged)) as url:
        models = {(m["name"], m["version"]): m for m in httpx.get(f"{url}/models").json()["models"]}
        for name, reason in (
            ("cut", "ONNX"), ("changed", "SHA-256"), ("foreign", "ecm.spec"), ("gone", "read"),
        ):  # fmt: skip
            assert models[name, 1]["state"] == "failed"
            assert reason in models[name, 1]["error"]
        assert (models["small", 1]["state"], models["small", 2]["state"]) == ("ready", "failed")
        body, content = {"model": "small"}, features_TD.tobytes()
        answer = httpx.post(f"{url}/localize", params=body, content=content, headers=RAW)
        assert answer.json()["model"] == {"name": "small", "version": 1}
        refused = httpx.post(
            f"{url}/localize", params={"model": "cut"}, content=content, headers=RAW
        )
        assert refused.status_code == 503
        assert "is not served" in refused.json()["detail"]
        unnamed = httpx.post(f"{url}/localize", content=content, headers=RAW)
        assert unnamed.status_code == 422
        assert "name one" in unnamed.json()["detail"]
        assert httpx.get(f"{url}/health").json()["status"] == "degraded"
        assert httpx.get(f"{url}/health/ready").status_code == 200


def test_default_model_answers_requests_that_name_none(
    serving: Serving, damaged: Path, features_TD: np.ndarray
) -> None:
    """The operator selects one of several models."""
    with serving(Settings(repository=damaged, default_model="small")) as url:
        answer = httpx.post(f"{url}/localize", content=features_TD.tobytes(), headers=RAW)
        assert answer.json()["model"]["name"] == "small"


def test_health_of_a_good_and_of_an_empty_service(
    serving: Serving, url: str, tmp_path: Path
) -> None:
    """Alive without a model, but not ready."""
    assert httpx.get(f"{url}/health").json()["status"] == "ok"
    assert httpx.get(f"{url}/health/ready").status_code == 200
    with serving(Settings(repository=tmp_path / "absent")) as empty:
        assert httpx.get(f"{empty}/health/live").status_code == 200
        assert httpx.get(f"{empty}/health/ready").status_code == 503
        assert httpx.get(f"{empty}/health").json()["status"] == "unavailable"
        answer = httpx.post(f"{empty}/localize", content=b"", headers=RAW | {"X-Shape": "0,8"})
        assert (answer.status_code, answer.json()["status"]) == (404, 404)
