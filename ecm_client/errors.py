"""Errors of the clients, and the roots that the clients share with `Localizer`.

LocalizerError                  every error that this project raises on purpose
├── InputError (ValueError)     the caller's input cannot be used
│   ├── FeatureError            features have the wrong shape, type or values
│   └── FormatError             segments cannot be written in a format
├── LocalizerServiceError       the service refused a request, failed or cannot be reached
└── ...                         errors of a model in this process: model/errors.py

`except LocalizerError` catches both what a client and what a `Localizer` raises. Each message names
the value and what was expected.
"""


class LocalizerError(Exception):
    """Root of every error that this project raises on purpose."""


class InputError(LocalizerError, ValueError):
    """The caller's input cannot be used."""


class FeatureError(InputError):
    """Features have the wrong shape, type or values."""


class FormatError(InputError):
    """Segments cannot be written in a format."""


class LocalizerServiceError(LocalizerError):
    """The service refused a request, failed or cannot be reached.

    Attributes:
        status: HTTP status; None without a response.
        code: stable name of the problem, such as `unknown-model`; empty without one.
    """

    def __init__(self, message: str, status: int | None = None, code: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.code = code
