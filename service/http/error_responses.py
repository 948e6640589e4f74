"""Error responses: problem+json (RFC 9457), and the Open Inference Protocol's form below /v2."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Final

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ecm_client.schemas import Problem
from model.errors import EngineError, InputError
from service.errors import (
    ServiceError,
    UnusableInputError,
    describe_validation,
    problem_of,
    shortened,
)

CLIENT_GONE: Final = 499
"""Status, as in nginx, of a request whose client disconnected before the response."""

INFERENCE_PROTOCOL: Final = "/v2"
"""Path of the Open Inference Protocol, whose errors have a form of their own."""


class InferenceError(BaseModel):
    """Error of the Open Inference Protocol."""

    error: str


def is_inference_protocol(path: str) -> bool:
    """Returns whether a path belongs to the Open Inference Protocol."""
    return path == INFERENCE_PROTOCOL or path.startswith(f"{INFERENCE_PROTOCOL}/")


def error_response(path: str, error: Exception) -> Response:
    """Returns the response to a request that failed, in the form that its path calls for."""
    headers = error.headers if isinstance(error, ServiceError) else {}
    return _response(path, problem_of(error), headers)


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Returns a problem as problem+json."""
    return Response(
        problem.model_dump_json(),
        problem.status,
        headers=headers,
        media_type="application/problem+json",
    )


def _response(path: str, problem: Problem, headers: Mapping[str, str]) -> Response:
    if not is_inference_protocol(path):
        return problem_response(problem, headers)
    # The protocol has neither of these two.
    status = 400 if problem.status in (415, 422) else problem.status
    content = InferenceError(error=problem.detail).model_dump_json()
    return Response(content, status, headers=headers, media_type="application/json")


def add_handlers(app: FastAPI) -> None:
    """Makes an app answer errors by `error_response`.

    `service.telemetry.observation` handles unexpected errors.
    """
    for kind in (ServiceError, InputError, EngineError):
        app.add_exception_handler(kind, _on_error)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    app.add_exception_handler(ClientDisconnect, _on_disconnect)


async def _on_error(request: Request, error: Exception) -> Response:
    return error_response(request.url.path, error)


async def _on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    message = describe_validation(error.errors())
    return error_response(request.url.path, UnusableInputError(message))


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answers an error of the framework, such as 404 and 405."""
    assert isinstance(error, HTTPException)
    path, title = request.url.path, HTTPStatus(error.status_code).phrase
    is_slashed = error.status_code == HTTPStatus.NOT_FOUND and path.endswith("/")
    hint = f"; try {shortened(path.rstrip('/'))} without the slash" if is_slashed else ""
    problem = Problem(
        type=f"urn:ecm-localizer:{title.lower().replace(' ', '-')}",
        title=title,
        status=error.status_code,
        detail=f"{request.method} {shortened(path)}: {error.detail}{hint}",
    )
    allowed = _allowed(request) if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else {}
    return _response(path, problem, {**(error.headers or {}), **allowed})


def _allowed(request: Request) -> dict[str, str]:
    """Returns the Allow header with every method of a path; Starlette lists one route's only."""
    template = getattr(request.scope.get("route"), "path", None)
    operations = request.app.openapi()["paths"].get(template, {})
    return {"Allow": ", ".join(sorted(operations)).upper()} if operations else {}


async def _on_disconnect(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Keeps a client's disconnect out of the error log."""
    return Response(status_code=CLIENT_GONE)
