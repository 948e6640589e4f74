"""Errors of models, of their files and of their inputs.

LocalizerError
├── InputError (ValueError)          the input of the caller cannot be used
│   ├── FeatureError                 features: wrong shape, dtype or values
│   ├── VideoError                   a video file: unreadable or too large
│   ├── OptionError                  an option: unknown or out of range
│   └── DataError                    a data set: its files or annotations
├── ModelError (ValueError)          a model file cannot be used
│   ├── SpecError                    the spec is absent, unreadable or contradicts the network
│   └── IntegrityError               the bytes are not those that were published
├── ModelNotFoundError (LookupError) no such model or checkpoint
├── DeviceError (RuntimeError)       the requested device is not available
├── EngineError (RuntimeError)       a loaded network failed on a checked input
│   └── EngineMemoryError            not enough memory for the input, on GPU or CPU
└── WorkerError (RuntimeError)       a worker process died during a task, or timed out

Each message names the value, what was expected, and the remedy where there is one.
"""

from typing import Self

# The clients raise these three too, and do not import this package.
from ecm_client.errors import FeatureError as FeatureError
from ecm_client.errors import InputError as InputError
from ecm_client.errors import LocalizerError as LocalizerError


class VideoError(InputError):
    """A video file cannot be decoded, or exceeds a limit."""


class OptionError(InputError):
    """An option is unknown or out of range."""


class DataError(InputError):
    """The files or annotations of a data set cannot be used."""


class ModelError(LocalizerError, ValueError):
    """A model file cannot be used."""


class SpecError(ModelError):
    """The spec of a model is absent, unreadable or contradicts the network."""


class IntegrityError(ModelError):
    """A model file is not the one that was published."""


class ModelNotFoundError(LocalizerError, LookupError):
    """There is no such model or checkpoint."""


class DeviceError(LocalizerError, RuntimeError):
    """The requested device is not available."""

    @classmethod
    def no_cuda(cls, library: str, remedy: str) -> Self:
        """Returns the error for a request for CUDA that cannot be met.

        Args:
            library: the library that would use CUDA.
            remedy: what to install or to choose instead.
        """
        return cls(f"CUDA was requested, but {library} sees no CUDA GPU; expected {remedy}")


class EngineError(LocalizerError, RuntimeError):
    """A loaded network failed on a checked input."""


class EngineMemoryError(EngineError):
    """There is not enough memory to load a network or to run it on an input of this size."""


class WorkerError(LocalizerError, RuntimeError):
    """A worker process died during a task, or exceeded its time limit."""
