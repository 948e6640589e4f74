"""The service keeps the contract of openapi/openapi.json for any request."""

import shutil
from pathlib import Path

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckContext, negative_data_rejection
from schemathesis.config import SchemathesisConfig

from model.repository import publish
from service.http.api_keys import new_key
from service.inference_protocol.wire import HEADER_LENGTH

CONTRACT = Path(__file__).parents[2] / "openapi" / "openapi.json"
KEY, KEPT = new_key("contract", frozenset({"infer", "admin"}))
FORESEEN = {501, 502, 503, 504, 507}
"""Statuses above 499 that indicate no bug; the contract lists them for each call."""

config = SchemathesisConfig.from_dict(
    {
        "auth": {"openapi": {"header": {"api_key": KEY}, "bearer": {"bearer": KEY}}},
        "checks": {
            "not_a_server_error": {"enabled": False},  # no_unforeseen_failure in its place
            "positive_data_acceptance": {"enabled": False},  # no schema knows what a model takes
        },
        "generation": {"deterministic": True},
    }
)
contract = schemathesis.openapi.from_path(CONTRACT, config=config)
schemathesis.serializer.alias(["application/x-npy", "video/*"], "application/octet-stream")


@pytest.fixture(scope="module")
def address(
    launch_for_module,
    exported: bytes,
    motion_repository: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A service with a model for features, one for videos, and one to load and unload."""
    folder = tmp_path_factory.mktemp("contract")
    shutil.copytree(motion_repository, folder / "models")
    for name in ("small", "spare"):
        publish(folder / "models", name, lambda path: path.write_bytes(exported))
    process = launch_for_module(
        "serve",
        repository=folder / "models",
        data=folder / "data",
        default_model="small",
        api_keys=KEPT.line(),
        jobs=0,
        wait_s=0,
        corrections=folder / "corrections",
    )
    return process.url


@pytest.fixture(scope="module")
def job(address: str) -> str:
    """Id of a cancelled job, whose events therefore have an end."""
    with httpx.Client(base_url=address, headers={"X-API-Key": KEY}) as client:
        video = {"Content-Type": "video/mp4"}
        handed_in = client.post("/jobs?model=moves", content=b"no video", headers=video).json()
        return client.delete(f"/jobs/{handed_in['id']}").json()["id"]


def no_unforeseen_failure(
    _: CheckContext, response: schemathesis.Response, __: schemathesis.Case
) -> None:
    """Checks that a failure is a foreseen one, not a bug."""
    assert response.status_code < 500 or response.status_code in FORESEEN


@contract.parametrize()
@settings(max_examples=10, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_call_keeps_the_contract(case: schemathesis.Case, address: str, job: str) -> None:
    """Statuses, content types, schemas, keys and Allow match the contract."""
    there = {"name": "spare" if case.path.endswith("load") else "small", "id_": job, "version": 1,
             "format_": "csv", "video_id": "a"}  # fmt: skip
    for name, value in case.path_parameters.items():
        if isinstance(value, type(there[name])):
            case.path_parameters[name] = there[name]
    is_bare = case.headers.get(HEADER_LENGTH) == "0"  # then any body is numbers
    case.call_and_validate(
        base_url=address,
        additional_checks=[no_unforeseen_failure],
        excluded_checks=[negative_data_rejection] if is_bare else [],
    )
