"""What can go wrong with a video that a request names by its URI.

LocalizerError
├── InputError (ValueError)
│   └── ReferenceRefusedError        not allowed here, not a file, or too large
└── DownloadError                    the other side refuses, or sends what cannot be used
    └── TransientDownloadError       a timeout, a lost connection, 429 or 5xx: may work later
"""

from typing import ClassVar

from model.errors import InputError, LocalizerError


class ReferenceRefusedError(InputError):
    """A URI names what may not be fetched here, or no file of an allowed size."""


class DownloadError(LocalizerError):
    """An allowed video could not be fetched; the same request would fail again."""

    transient: ClassVar[bool] = False
    """Whether another try may succeed."""


class TransientDownloadError(DownloadError):
    """An allowed video could not be fetched this time."""

    transient = True
