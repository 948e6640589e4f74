"""What can go wrong with a model, its file or its input.

LocalizerError
├── InputError (ValueError)          what the caller handed in cannot be used
│   ├── FeatureError                 features: shape, dtype, values
│   ├── VideoError                   a video file: what it is, what is in it, its size
│   ├── OptionError                  an option: name or range
│   └── DataError                    a data set's files or annotations
├── ModelError (ValueError)          a model's file cannot be used
│   ├── SpecError                    its spec is absent or unreadable
│   └── IntegrityError               its bytes are not the ones that were published
├── ModelNotFoundError (LookupError) no such model or checkpoint
├── DeviceError (RuntimeError)       the device that was asked for is not there
├── EngineError (RuntimeError)       a network that was loaded failed while it ran
└── WorkerError (RuntimeError)       a process died over its task, or took too long

Every message names the value that came, what was expected, and where it helps, what to do.
"""

from typing import Self

from ecm_client.errors import FeatureError as FeatureError
from ecm_client.errors import InputError as InputError
from ecm_client.errors import LocalizerError as LocalizerError


class VideoError(InputError):
    """A video file cannot be decoded, or is larger than what is allowed."""


class OptionError(InputError):
    """An option is unknown or out of its range."""


class DataError(InputError):
    """A data set's files or annotations cannot be used."""


class ModelError(LocalizerError, ValueError):
    """A model's file cannot be used."""


class SpecError(ModelError):
    """A model's spec is absent, unreadable or contradicts its network."""


class IntegrityError(ModelError):
    """A model's file is not the one that was published."""


class ModelNotFoundError(LocalizerError, LookupError):
    """No such model or checkpoint."""


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
    """A network that was loaded failed while it ran, on an input that was checked."""


class WorkerError(LocalizerError, RuntimeError):
    """A process died over its task, or took longer than allowed."""
