"""Which requests reach the application, and which do not."""

import asyncio
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from service.http.access import KeyCheck, describe_access, needed_scope
from service.http.api_keys import new_key
from service.settings import Settings

INFER, INFER_KEPT = new_key("camera", frozenset({"infer"}))
ADMIN, ADMIN_KEPT = new_key("operator", frozenset({"admin"}))
BEARER = "Authorization"


@pytest.mark.parametrize(
    ("path", "headers", "status", "reaches"),
    [
        ("/models", {}, 401, False),
        ("/models", {BEARER: "Bearer wrong"}, 401, False),
        ("/models", {BEARER: f"Bearer {INFER}", "X-API-Key": INFER}, 401, False),
        ("/models/small/unload", {BEARER: f"Bearer {INFER}"}, 403, False),
        ("/models", {BEARER: f"Basic {INFER}"}, 401, False),
        ("/models", {BEARER: f"Bearer {ADMIN}"}, 403, False),
        ("/models/small/unload", {BEARER: f"Bearer {ADMIN}"}, 200, True),
        ("/models", {BEARER: f"Bearer {INFER}"}, 200, True),
        ("/models", {BEARER: f"bearer  {INFER} "}, 200, True),
        ("/models", {BEARER: "Basic camera", "X-API-Key": INFER}, 200, True),
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
        check = KeyCheck(application, (INFER_KEPT, ADMIN_KEPT), lambda: None)
        transport = httpx.ASGITransport(check)
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


@pytest.mark.parametrize(
    ("path", "scope"),
    [
        ("/health", None),
        ("/health/", "infer"),
        ("/localize", "infer"),
        ("/", None),
        ("/page/index.js", None),
        ("/page/", "infer"),
        ("/page/capabilities", "infer"),
        ("/page/capabilities.js", None),
        ("/models/small", "infer"),
        ("/models/a/b/load", "admin"),
        ("/models/a\n/unload", "admin"),
        ("/v2/repository/models/small/load", "admin"),
        ("/v2/models/small/trace/setting", "admin"),
        ("/v2/cudasharedmemory/region/register", "admin"),
    ],
)
def test_paths_that_change_the_service_need_admin(path: str, scope: str | None) -> None:
    """A path matches as a whole; what no rule names needs the scope `infer`."""
    assert scope == needed_scope(path)


def test_other_connections_than_http_pass_without_a_key() -> None:
    """The application gets its lifespan events, which have no path and no headers."""
    noted: list[str] = []

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        noted.append(scope["type"])

    asyncio.run(KeyCheck(application, (), lambda: None)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert noted == ["lifespan"]


def test_the_description_names_keys_scopes_and_refusals() -> None:
    """Open paths need no key; errors below /v2 keep the form of the Open Inference Protocol."""
    paths: dict[str, Any] = {
        path: {"post": {"responses": {"200": {}}}}
        for path in ("/health", "/models/small/load", "/v2/models/small/infer")
    }
    description = {"components": {}, "paths": paths}
    describe_access(description)
    opened, loaded, inferred = (path["post"] for path in paths.values())
    schemes = description["components"]["securitySchemes"]
    assert {"bearer", "header"} == set(schemes)
    assert schemes["bearer"] == {"type": "http", "scheme": "bearer"}
    assert schemes["header"] == {"type": "apiKey", "in": "header", "name": "X-API-Key"}
    assert opened == {"responses": {"200": {}}}
    assert loaded["security"] == [{"bearer": ["admin"]}, {"header": ["admin"]}]
    assert inferred["security"] == [{"bearer": ["infer"]}, {"header": ["infer"]}]
    assert inferred["responses"] == {"200": {}}
    assert {"200", "401", "403"} == set(loaded["responses"])
    for status, title in (("401", "Unauthorized"), ("403", "Forbidden")):
        schema = {"$ref": "#/components/schemas/Problem"}
        content = {"application/problem+json": {"schema": schema}}
        assert {"description": title, "content": content} == loaded["responses"][status]
