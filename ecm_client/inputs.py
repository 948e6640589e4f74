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
from ecm_client.features import as_array, check_features, check_regular, read_features

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
    """Finite values (T, D), float16 or float32. Their number is not checked yet."""


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
        FeatureError: the features cannot be read, or are not finite floating point of shape (T, D).
        InputError: neither features nor an existing file nor a URI.
    """
    if hasattr(source, "__array__"):
        return Features(_checked(as_array(source)))
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


def _checked(values: NDArray[Any], where: str = "") -> NDArray[np.floating[Any]]:
    """Returns features of which every value can be used; float16 stays float16."""
    try:
        features_TD = check_features(values)
    except FeatureError as error:
        raise FeatureError(f"{where}{error}") from None
    return values if values.dtype == np.float16 else features_TD


def _readable(path: Path) -> Path:
    if os.path.isdir(path):  # noqa: PTH112, because Path.is_dir raises on a name that is too long
        raise InputError(f"{path} is a folder; {_EXPECTED}; localize_many takes several of them")
    try:
        check_regular(path)
        path.open("rb").close()
    except InputError:
        raise
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{str(path)!r} cannot be read: {reason}; {_EXPECTED}") from error
    return path
