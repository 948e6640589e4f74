"""The service keeps the contract of openapi/openapi.json, whatever is asked within and beside it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import CheckContext, negative_data_rejection
from schemathesis.config import SchemathesisConfig

from model.repository import publish
from service.api_keys import new_key

CONTRACT = Path(__file__).parents[2] / "openapi" / "openapi.json"
FORESEEN = {501, 502, 503, 504, 507}
"""Statuses above 499 that tell of no bug; which call may answer with which, the contract says."""
CONFIG = SchemathesisConfig.from_dict(
    {
        "checks": {
            "not_a_server_error": {"enabled": False},  # no_unforeseen_failure in its place
            "positive_data_acceptance": {"enabled": False},  # no schema knows what a model takes
        },
        "generation": {"deterministic": True},
    }
)
contract = schemathesis.openapi.from_path(CONTRACT, config=CONFIG)


@pytest.fixture(scope="module")
def keys() -> tuple[str, str]:
    """An API key that may do all, and the line of the service for it."""
    key, kept = new_key("contract", frozenset({"infer", "admin"}))
    return key, kept.line()


@pytest.fixture(scope="module")
def address(
    launch_for_module,
    motion_repository: Path,
    exported: bytes,
    tmp_path_factory: pytest.TempPathFactory,
    keys: tuple[str, str],
) -> str:
    """A service with a model that is there to be used and one to be loaded and unloaded."""
    folder = tmp_path_factory.mktemp("contract")
    for name in ("small", "spare"):
        publish(folder / "models", name, lambda path: path.write_bytes(exported))
    process = launch_for_module(
        "serve",
        repository=folder / "models",
        data=folder / "data",
        default_model="small",
        api_keys=keys[1],
        max_body_bytes=100_000,
        jobs=0,
        wait_s=0,
    )
    return process.url


def no_unforeseen_failure(_: CheckContext, response: schemathesis.Response, __: schemathesis.Case) -> None:
    """A failure that the service knows of, not a bug."""
    assert response.status_code < 500 or response.status_code in FORESEEN


@contract.parametrize()
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_call_keeps_the_contract(case: schemathesis.Case, address: str, keys: tuple[str, str]) -> None:
    """Statuses, content types, schemas, keys and Allow are as the contract has them."""
    if "name" in case.path_parameters:
        case.path_parameters["name"] = "spare" if case.path.endswith("load") else "small"
    case.call_and_validate(base_url=address, headers={"X-API-Key": keys[0]}, checks=None, additional_checks=[no_unforeseen_failure])
