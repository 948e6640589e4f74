"""Inputs of `localize`: features, a video file or a URI. Decides which of them an input is.

Axes: T snippets, D feature channels.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ecm_client.errors import FeatureError, InputError

_FEATURE_SUFFIXES = (".npy", ".npz")
_EXPECTED = (
    "expected an .npy file of features, a video file, or a URI such as "
    "https://example.org/match.mp4"
)


class SupportsArray(Protocol):
    """An array of any library, such as a torch tensor."""

    def __array__(self) -> NDArray[Any]:
        """Returns the values as a numpy array."""
        ...


Source: TypeAlias = NDArray[Any] | SupportsArray | str | os.PathLike[str]
"""Features (T, D) as an array, a torch tensor or the path of an .npy file; or a video as the path
of its file or as a URI."""


@dataclass(frozen=True, slots=True)
class Features:
    """Features of one video."""

    values_TD: NDArray[np.floating[Any]]
    """Values (T, D). Their number and their finiteness are not checked yet."""


@dataclass(frozen=True, slots=True)
class VideoFile:
    """A video in a local file that exists."""

    path: Path
    """The file."""


@dataclass(frozen=True, slots=True)
class VideoUri:
    """A video at an address."""

    uri: str
    """Address with its scheme: file:, https:, s3:, gs: or az:."""


def open_source(source: Source) -> Features | VideoFile | VideoUri:
    """Returns an input as what it is: an array or .npy file is features, all else is a video.

    Raises:
        FeatureError: the features cannot be read, or are not floating point of shape (T, D).
        InputError: neither features nor an existing file nor a URI.
    """
    if hasattr(source, "__array__"):
        return Features(_checked(_as_array(source)))
    if not isinstance(source, str | os.PathLike):
        several = isinstance(source, Iterable) and not isinstance(source, bytes)
        hint = "; localize_many takes several inputs" if several else ""
        raise InputError(
            f"expected features of shape (snippets, channels), a path or a URI, got "
            f"{type(source).__name__}{hint}"
        )
    text = os.fspath(source)
    if not isinstance(source, os.PathLike) and is_uri(text):
        return VideoUri(text)
    path = Path(text)
    if path.suffix.lower() in _FEATURE_SUFFIXES:
        return Features(_checked(read_features(path), f"{path}: "))
    return VideoFile(_readable(path))


def is_uri(text: str) -> bool:
    """Returns whether a text is a URI rather than a path."""
    return "://" in text or text.startswith("file:")


def read_features(path: Path) -> NDArray[Any]:
    """Returns the array of an .npy file, memory-mapped. Its values are not checked yet.

    Raises:
        FeatureError: the file is absent, no .npy file, cut short, or holds pickled objects.
    """
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FeatureError(f"no feature file {path}") from None
    except (ValueError, EOFError, OSError) as error:
        raise FeatureError(f"{path} is not a readable .npy array: {error}") from error
    if not isinstance(array, np.ndarray):
        raise FeatureError(f"{path} is an .npz archive; expected one .npy array")
    return array


def _as_array(source: Any) -> NDArray[Any]:
    if isinstance(source, np.ma.MaskedArray):
        raise FeatureError("expected features without a mask, got a masked array; call filled()")
    if hasattr(source, "detach"):  # a torch tensor, on a GPU or with a gradient perhaps
        source = source.detach().cpu()
    try:
        return np.asarray(source)
    except (TypeError, ValueError, RuntimeError) as error:
        raise FeatureError(f"{type(source).__name__} does not convert to numpy: {error}") from error


def _checked(values: NDArray[Any], where: str = "") -> NDArray[np.floating[Any]]:
    """Returns features if they have two axes and are floating point."""
    if values.ndim != 2:
        raise FeatureError(
            f"{where}expected features of shape (snippets, channels), got shape {values.shape}"
        )
    if not np.issubdtype(values.dtype, np.floating):
        raise FeatureError(f"{where}expected floating-point features, got dtype {values.dtype}")
    return values


def _readable(path: Path) -> Path:
    if os.path.isdir(path):  # noqa: PTH112, because Path.is_dir raises on a name that is too long
        raise InputError(f"{path} is a folder; {_EXPECTED}; localize_many takes several of them")
    try:
        path.open("rb").close()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{str(path)!r} cannot be read: {reason}; {_EXPECTED}") from error
    return path
