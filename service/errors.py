"""HTTP errors, each with its status; one handler writes them all as problem+json (RFC 9457).

Below /v2 it writes them as the Open Inference Protocol has it.

ServiceError
├── MalformedBodyError        400  not JSON, not base64, a broken form
├── NoValidKeyError           401  no API key, or one that is not known
├── ScopeMissingError         403  the API key does not allow it
├── UnknownModelError         404  no such model or version
├── UnknownJobError           404  no such job
├── BodyTooSlowError          408  the body did not arrive in time
├── IdempotencyConflictError  409  the key stands for another request
├── BodyTooLargeError         413  longer than the limit
├── UnsupportedMediaError     415  a content type that is not read
├── UnusableInputError        422  features or an option that cannot be used
├── VideosNotServedError      501  the service was installed without what videos need
├── UnsupportedCallError      501  a part of the Open Inference Protocol that is not served
├── ModelUnavailableError     503  the model is there but failed to load
├── ExtractorUnavailableError 503  the model's extractor is not here
├── OverloadedError           503  too many requests are under way
├── QueueFullError            503  too many jobs wait
├── JobsUnavailableError      503  the jobs' database cannot be reached
├── DeadlineExceededError     504  there was no result in time
└── DiskFullError             507  no room for the video

Of others, an InputError is 422, an EngineError or WorkerError 500, a ModelError 503, and a
DownloadError of reference_errors.py 502.
"""

import errno
import logging
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from typing import ClassVar

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from ecm_client.schemas import Problem
from model.errors import EngineError, InputError, LocalizerError, ModelError, WorkerError
from service.references.errors import DownloadError

_log = logging.getLogger(__name__)

CLIENT_GONE = 499
"""What nginx calls the status of a request whose client left before the answer."""

INFERENCE_PROTOCOL = "/v2"
"""Path of the Open Inference Protocol, which has errors of its own form."""


class ServiceError(Exception):
    """Root of the errors that a client is told."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    code: ClassVar[str] = "internal"
    headers: Mapping[str, str] = {}


class MalformedBodyError(ServiceError):
    """The body is not what its content type says."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed-body"


class NoValidKeyError(ServiceError):
    """No API key, or one that is not known."""

    status = HTTPStatus.UNAUTHORIZED
    code = "no-valid-key"
    # The body is not read.
    headers = {"WWW-Authenticate": 'Bearer realm="ecm-localizer"', "Connection": "close"}


class ScopeMissingError(ServiceError):
    """The API key does not allow it."""

    status = HTTPStatus.FORBIDDEN
    code = "scope-missing"
    headers = {
        "WWW-Authenticate": 'Bearer realm="ecm-localizer", error="insufficient_scope"',
        "Connection": "close",
    }


class UnknownModelError(ServiceError):
    """No such model or version."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown-model"


class BodyTooSlowError(ServiceError):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "body-too-slow"
    headers = {"Connection": "close"}


class BodyTooLargeError(ServiceError):
    """The body is longer than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body-too-large"
    headers = {"Connection": "close"}  # the rest of the body is not read


class UnsupportedMediaError(ServiceError):
    """The content type is not read here."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported-media-type"


class UnusableInputError(ServiceError):
    """Features or an option cannot be used."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unusable-input"


class ModelUnavailableError(ServiceError):
    """The model is there but cannot be served."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "model-unavailable"


class UnknownJobError(ServiceError):
    """No such job."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown-job"


class IdempotencyConflictError(ServiceError):
    """The Idempotency-Key was used for another request."""

    status = HTTPStatus.CONFLICT
    code = "idempotency-conflict"


class VideosNotServedError(ServiceError):
    """The service was installed without what videos need."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "videos-not-served"


class UnsupportedCallError(ServiceError):
    """A part of the Open Inference Protocol that is not served."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "unsupported-call"


class ExtractorUnavailableError(ServiceError):
    """The extractor that a model was trained with is not here."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "extractor-unavailable"


class OverloadedError(ServiceError):
    """Too many requests are under way."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"

    def __init__(self, why: str, wait_s: float) -> None:
        """Refuses a request before its body is read.

        Args:
            why: what is too much.
            wait_s: how long it would wait.
        """
        super().__init__(f"the service is busy: {why}; try again as Retry-After says")
        self.headers = {"Retry-After": str(max(1, math.ceil(wait_s))), "Connection": "close"}


class QueueFullError(ServiceError):
    """Too many jobs wait."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "queue-full"
    headers = {"Retry-After": "10"}


class JobsUnavailableError(ServiceError):
    """The jobs' database cannot be reached."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "jobs-unavailable"
    headers = {"Retry-After": "2"}


class DeadlineExceededError(ServiceError):
    """There was no result in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline-exceeded"


class DiskFullError(ServiceError):
    """There is no room for the video."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "disk-full"


_TOLD: tuple[tuple[type[LocalizerError], int, str], ...] = (
    (InputError, 422, UnusableInputError.code),
    (DownloadError, 502, "download-failed"),
    (WorkerError, 500, "worker-failed"),
    (EngineError, 500, "engine-failed"),
    (ModelError, 503, ModelUnavailableError.code),
)
"""What a client is told of errors that are not the service's own, besides their text."""


def problem_of(error: Exception) -> Problem:
    """Returns what a client is told of an error."""
    if isinstance(error, ServiceError):
        return _problem(error.status, error.code, str(error))
    for kind, status, code in _TOLD:
        if isinstance(error, kind):
            return _problem(status, code, str(error))
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _problem(507, DiskFullError.code, "the service's disk is full; try again later")
    _log.error("request failed", exc_info=error)
    return _problem(500, ServiceError.code, "the service failed; its log says why")


def _problem(status: int, code: str, detail: str) -> Problem:
    return Problem(
        type=f"urn:ecm-localizer:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
    )


class InferenceError(BaseModel):
    """Error of the Open Inference Protocol."""

    error: str


def problem_response(told: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Returns the answer that holds a problem."""
    return Response(
        told.model_dump_json(), told.status, headers=headers, media_type="application/problem+json"
    )


def error_response(path: str, told: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Returns the answer that tells of an error in the form that clients of a path expect."""
    if not is_inference_protocol(path):
        return problem_response(told, headers)
    status = 400 if told.status == 422 else told.status
    content = InferenceError(error=told.detail).model_dump_json()
    return Response(content, status, headers=headers, media_type="application/json")


def is_inference_protocol(path: str) -> bool:
    """Returns whether a path belongs to the Open Inference Protocol."""
    return path == INFERENCE_PROTOCOL or path.startswith(f"{INFERENCE_PROTOCOL}/")


def add_handlers(app: FastAPI) -> None:
    """Makes errors of an app problem+json, or what the Open Inference Protocol expects.

    Those that nobody foresaw are left to `service.telemetry.observation`.
    """
    for kind in (ServiceError, InputError, EngineError, RequestValidationError, HTTPException):
        app.add_exception_handler(kind, _answer)
    app.add_exception_handler(ClientDisconnect, _answer_nobody)


async def _answer(request: Request, error: Exception) -> Response:
    path = request.url.path
    if isinstance(error, RequestValidationError):
        told = _problem(422, UnusableInputError.code, describe_validation(error.errors()))
        return error_response(path, told)
    if isinstance(error, HTTPException):
        code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
        told = _problem(error.status_code, code, f"{request.method} {path}: {error.detail}")
        allowed = _allowed(request) if told.status == 405 else {}
        return error_response(path, told, {**(error.headers or {}), **allowed})
    headers = error.headers if isinstance(error, ServiceError) else {}
    return error_response(path, problem_of(error), headers)


def _allowed(request: Request) -> dict[str, str]:
    """Returns the header that tells every method of a path; Starlette knows one route's only."""
    template = getattr(request.scope.get("route"), "path", None)
    calls = request.app.openapi()["paths"].get(template, {})
    return {"Allow": ", ".join(sorted(calls)).upper()} if calls else {}


async def _answer_nobody(request: Request, error: Exception) -> Response:  # noqa: ARG001
    """Keeps a client that hangs up, which is no failure of ours, out of the log."""
    return Response(status_code=CLIENT_GONE)


def describe_validation(errors: object) -> str:
    """Returns pydantic's complaints as one line."""
    assert isinstance(errors, list | tuple)
    places = (".".join(map(str, error["loc"])) for error in errors)
    return "; ".join(
        f"{place}: {error['msg']}" for place, error in zip(places, errors, strict=True)
    )


@contextmanager
def unusable_if_invalid() -> Iterator[None]:
    """Turns pydantic's errors into ours.

    Raises:
        UnusableInputError: input does not match its schema.
    """
    try:
        yield
    except ValidationError as error:
        raise UnusableInputError(describe_validation(error.errors())) from None
