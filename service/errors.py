"""Errors of the service, each with its HTTP status and the code of its problem type.

ServiceError                    500  root, and unexpected failures
├── MalformedBodyError          400  not JSON, not base64, a malformed form
├── NoValidKeyError             401  no API key, or an unknown one
├── ScopeMissingError           403  the API key lacks the scope
├── UnknownModelError           404  no such model or version
├── UnknownJobError             404  no such job
├── VideoGoneError              404  the service no longer has the video of a job
├── ActivationGoneError         404  the service no longer has a class activation sequence
├── NoCorrectionsError          404  no corrections of the video, or no folder for them
├── BodyTooSlowError            408  the body did not arrive in time
├── IdempotencyConflictError    409  the Idempotency-Key belongs to another request
├── ChangedMeanwhileError       412  another client saved in between
├── BodyTooLargeError           413  the body is longer than the limit
├── RangeError                  416  no byte of the video is in the range
├── UnsupportedMediaError       415  unsupported content type
│   └── UnsupportedCodingError  415  unsupported content coding
├── UnusableInputError          422  unusable features, video or option
├── NoPreconditionError         428  no If-Match and no If-None-Match
├── EngineFailedError           500  the network failed
├── WorkerFailedError           500  the process that reads a video failed
├── VideosNotServedError        501  the packages for videos are not installed
├── UnsupportedCallError        501  unsupported part of the Open Inference Protocol
├── DownloadError               502  a video cannot be fetched (references/errors.py)
├── ModelUnavailableError       503  the model cannot be served
├── ExtractorUnavailableError   503  the model's extractor is missing
├── OverloadedError             503  too many requests in flight
├── OutOfMemoryError            503  not enough memory to run the network on the features
├── QueueFullError              503  too many jobs in the queue
├── CorrectionsUnavailableError 503  the folder of corrections cannot be used
├── JobsUnavailableError        503  the job database cannot be reached
├── DeadlineExceededError       504  no result in time
└── DiskFullError               507  no disk space for the video
"""

import errno
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from typing import Any, ClassVar, Final

from pydantic import ValidationError

from ecm_client.schemas import Problem
from model.errors import EngineError, InputError, LocalizerError, ModelError, WorkerError

_log = logging.getLogger(__name__)
_NAMED_ERRORS: Final = 3
"""Invalid fields that an error names; a body may have thousands."""


class ServiceError(Exception):
    """Root of the errors whose message is sent to the client."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    """HTTP status of the response."""
    code: ClassVar[str] = "internal"
    """Last part of the problem's type, urn:ecm-localizer:CODE."""
    headers: Mapping[str, str] = {}
    """Headers of the response; `Connection: close` where the body is left unread."""


class MalformedBodyError(ServiceError):
    """The body does not match its content type."""

    status = HTTPStatus.BAD_REQUEST
    code = "malformed-body"


class NoValidKeyError(ServiceError):
    """The request has no API key, or an unknown one."""

    status = HTTPStatus.UNAUTHORIZED
    code = "no-valid-key"
    headers = {"WWW-Authenticate": 'Bearer realm="ecm-localizer"', "Connection": "close"}


class ScopeMissingError(ServiceError):
    """The API key lacks the scope that the request needs."""

    status = HTTPStatus.FORBIDDEN
    code = "scope-missing"
    headers = {
        "WWW-Authenticate": 'Bearer realm="ecm-localizer", error="insufficient_scope"',
        "Connection": "close",
    }


class UnknownModelError(ServiceError):
    """There is no such model or version."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown-model"


class UnknownJobError(ServiceError):
    """There is no such job."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown-job"


class VideoGoneError(ServiceError):
    """The service no longer has the video of a job."""

    status = HTTPStatus.NOT_FOUND
    code = "video-gone"


class ActivationGoneError(ServiceError):
    """The service no longer has a class activation sequence."""

    status = HTTPStatus.NOT_FOUND
    code = "activation-gone"


class NoCorrectionsError(ServiceError):
    """There are no corrections of a video, or no folder for them."""

    status = HTTPStatus.NOT_FOUND
    code = "no-corrections"


class ChangedMeanwhileError(ServiceError):
    """Another client saved the same corrections in between."""

    status = HTTPStatus.PRECONDITION_FAILED
    code = "changed-meanwhile"


class NoPreconditionError(ServiceError):
    """A request does not name the state that it means to replace."""

    status = HTTPStatus.PRECONDITION_REQUIRED
    code = "precondition-required"


class BodyTooSlowError(ServiceError):
    """The body did not arrive in time."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "body-too-slow"
    headers = {"Connection": "close"}


class IdempotencyConflictError(ServiceError):
    """The Idempotency-Key was used for another request."""

    status = HTTPStatus.CONFLICT
    code = "idempotency-conflict"


class BodyTooLargeError(ServiceError):
    """The body is longer than the limit."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body-too-large"
    headers = {"Connection": "close"}


class UnsupportedMediaError(ServiceError):
    """The content type is not supported."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    code = "unsupported-media-type"


class UnsupportedCodingError(UnsupportedMediaError):
    """The Content-Encoding is not supported, or not for this kind of body."""

    headers = {"Accept-Encoding": "gzip, deflate"}


class RangeError(ServiceError):
    """The range of bytes begins after the end of the video."""

    status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    code = "range-not-satisfiable"

    def __init__(self, length: int) -> None:
        """Takes the length of the video in bytes."""
        super().__init__(f"the video has {length} bytes; ask for a range that begins before")
        self.headers = {"Content-Range": f"bytes */{length}"}


class UnusableInputError(ServiceError):
    """The features, the video or an option cannot be used."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    code = "unusable-input"


class EngineFailedError(ServiceError):
    """The network failed on features that had passed the checks."""

    code = "engine-failed"


class WorkerFailedError(ServiceError):
    """The process that reads a video died or took too long."""

    code = "worker-failed"


class VideosNotServedError(ServiceError):
    """The packages for videos are not installed."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "videos-not-served"


class UnsupportedCallError(ServiceError):
    """This part of the Open Inference Protocol is not supported."""

    status = HTTPStatus.NOT_IMPLEMENTED
    code = "unsupported-call"


class ModelUnavailableError(ServiceError):
    """The model exists but cannot be served."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "model-unavailable"


class ExtractorUnavailableError(ServiceError):
    """The extractor that the model was trained with is missing."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "extractor-unavailable"


class OverloadedError(ServiceError):
    """Too many requests are in flight."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "overloaded"

    def __init__(self, reason: str, wait_s: float) -> None:
        """Refuses a request before its body is read.

        Args:
            reason: the limit that was reached.
            wait_s: expected wait, rounded up to at least 1 s for the header Retry-After.
        """
        super().__init__(f"the service is busy: {reason}; try again after Retry-After seconds")
        self.headers = {"Retry-After": str(max(1, math.ceil(wait_s))), "Connection": "close"}


class OutOfMemoryError(ServiceError):
    """There is not enough free memory to run the network on features of this size."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "out-of-memory"
    headers = {"Retry-After": "1"}


class QueueFullError(ServiceError):
    """Too many jobs are in the queue."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "queue-full"
    headers = {"Retry-After": "10"}


class CorrectionsUnavailableError(ServiceError):
    """The folder of corrections cannot be read or written."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "corrections-unavailable"


class JobsUnavailableError(ServiceError):
    """The job database cannot be reached."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "jobs-unavailable"
    headers = {"Retry-After": "2"}


class DeadlineExceededError(ServiceError):
    """There was no result in time."""

    status = HTTPStatus.GATEWAY_TIMEOUT
    code = "deadline-exceeded"


class DiskFullError(ServiceError):
    """There is no disk space for the video."""

    status = HTTPStatus.INSUFFICIENT_STORAGE
    code = "disk-full"


_SENT_AS: tuple[tuple[type[LocalizerError], type[ServiceError]], ...] = (
    (InputError, UnusableInputError),
    (EngineError, EngineFailedError),
    (WorkerError, WorkerFailedError),
    (ModelError, ModelUnavailableError),
)
"""Errors of `model`, which knows nothing of HTTP, and the error that a client gets for each."""


def problem_of(error: Exception) -> Problem:
    """Returns the problem that a client gets for an error; unexpected errors are logged."""
    if isinstance(error, ServiceError):
        return _problem(type(error), str(error))
    for kind, sent_as in _SENT_AS:
        if isinstance(error, kind):
            return _problem(sent_as, str(error))
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return _problem(DiskFullError, "the service's disk is full; try again later")
    _log.error("request failed", exc_info=error)
    return _problem(ServiceError, "the service failed; its log contains the reason")


def _problem(kind: type[ServiceError], detail: str) -> Problem:
    return Problem(
        type=f"urn:ecm-localizer:{kind.code}",
        title=kind.status.phrase,
        status=kind.status,
        detail=detail,
    )


def describe_validation(errors: Sequence[Any]) -> str:
    """Returns the first errors of a pydantic ValidationError as one line of bounded length."""
    parts = [
        f"{shortened('.'.join(map(str, error['loc'])))}: {shortened(error['msg'], 200)}"
        for error in errors[:_NAMED_ERRORS]
    ]
    more = len(errors) - len(parts)
    return "; ".join(parts) + (f"; and {more} more" if more > 0 else "")


def shortened(text: str, length: int = 60) -> str:
    """Returns a text of at most `length` characters, with dots in place of the rest."""
    return text if len(text) <= length else f"{text[: length - 3]}..."


@contextmanager
def unusable_if_invalid() -> Iterator[None]:
    """Turns pydantic's errors into ours.

    Raises:
        UnusableInputError: the input does not match its schema.
    """
    try:
        yield
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False, include_input=False)
        raise UnusableInputError(describe_validation(errors)) from None
