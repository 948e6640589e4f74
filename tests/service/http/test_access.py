"""Which requests reach the application, and which do not."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service.http.access import KeyCheck
from service.http.api_keys import new_key
from service.settings import Settings

INFER, INFER_KEPT = new_key("camera", frozenset({"infer"}))
BEARER = "Authorization"


@pytest.mark.parametrize(
    ("path", "headers", "status", "reaches"),
    [
        ("/models", {}, 401, False),
        ("/models", {BEARER: "Bearer wrong"}, 401, False),
        ("/models", {BEARER: f"Bearer {INFER}", "X-API-Key": INFER}, 401, False),
        ("/models/small/unload", {BEARER: f"Bearer {INFER}"}, 403, False),
        ("/models", {BEARER: f"Bearer {INFER}"}, 200, True),
        ("/models", {"X-API-Key": INFER}, 200, True),
        ("/health/live", {}, 200, True),
    ],
)
def test_what_is_refused_never_reaches_the_application(
    path: str, headers: dict[str, str], status: int, reaches: bool
) -> None:
    """The application behind the check notes every request that comes through."""
    noted: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        noted.append(scope["path"])
        await PlainTextResponse("fine")(scope, receive, send)

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(KeyCheck(application, (INFER_KEPT,)))
        async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return await client.post(path, headers=headers)

    assert asyncio.run(ask()).status_code == status
    assert noted == ([path] if reaches else [])


def test_an_unload_without_a_key_leaves_the_model_served(serving: Any, repository: Any) -> None:
    """The refusal is no mere change of the response."""
    settings = Settings(repository=repository, api_keys=(INFER_KEPT.line(),))
    with serving(settings) as url:
        assert httpx.post(f"{url}/models/small/unload").status_code == 401
        listed = httpx.get(f"{url}/models", headers={"X-API-Key": INFER}).json()["models"]
    assert [model["state"] for model in listed] == ["ready"]
