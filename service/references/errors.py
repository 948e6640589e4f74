"""Errors about a video that a request names by its URI.

InputError (ValueError)
└── ReferenceRefusedError        422  not allowed here, not a file, or too large

ServiceError
├── UnknownFolderError           404  no such folder below the allowed ones
└── DownloadError                502  the other server refuses, or sends unusable data
    └── TransientDownloadError   502  a timeout, a lost connection, 429 or 5xx: a retry may help
"""

from http import HTTPStatus
from typing import ClassVar

from model.errors import InputError
from service.errors import ServiceError


class ReferenceRefusedError(InputError):
    """A URI names a video that may not be fetched here, or no file of an allowed size."""


class UnknownFolderError(ServiceError):
    """There is no such folder below the allowed ones."""

    status = HTTPStatus.NOT_FOUND
    code = "unknown-folder"


class DownloadError(ServiceError):
    """An allowed video cannot be fetched; a retry would fail again."""

    status = HTTPStatus.BAD_GATEWAY
    code = "download-failed"
    transient: ClassVar[bool] = False
    """Whether a retry may succeed."""


class TransientDownloadError(DownloadError):
    """An allowed video could not be fetched this time."""

    transient = True
