"""Snippet features from outside: reading, converting and checking them.

Client, `Localizer`, service and training share these checks, so they refuse the same features.

Axes: T snippets, D feature channels.
"""

import stat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecm_client.errors import FeatureError, InputError

_ARCHIVE = b"PK\x03\x04"
"""First bytes of a ZIP file, whatever its name. numpy leaves damaged ones open."""


def check_features(
    features: NDArray[np.generic],
    *,
    feature_dim: int | None = None,
    max_snippets: int | None = None,
) -> NDArray[np.float32]:
    """Returns features as contiguous float32 (T, D).

    Args:
        features: an array from outside.
        feature_dim: the required D; any if not given.
        max_snippets: the largest T; any if not given.

    Raises:
        FeatureError: a mask, not two axes, T = 0, T above `max_snippets`, D other than
            `feature_dim`, not floating point, or a value that is not finite.
    """
    _check_kind(features, feature_dim, max_snippets)
    return _finite(features)


def _check_kind(
    features: NDArray[np.generic], feature_dim: int | None, max_snippets: int | None
) -> None:
    if isinstance(features, np.ma.MaskedArray):
        raise FeatureError("expected features without a mask, got a masked array; call filled()")
    if features.ndim != 2:
        raise FeatureError(
            f"expected features of shape (snippets, channels), got shape {features.shape}"
        )
    snippets, channels = features.shape
    if not np.issubdtype(features.dtype, np.floating):
        # numpy reads the bfloat16 of other libraries as two bytes without a meaning.
        hint = ", perhaps bfloat16; save float32" if features.dtype == np.dtype("V2") else ""
        raise FeatureError(f"expected floating-point features, got dtype {features.dtype}{hint}")
    if snippets == 0:
        raise FeatureError("expected at least one snippet, got none (T = 0)")
    if max_snippets is not None and snippets > max_snippets:
        raise FeatureError(f"expected at most {max_snippets} snippets, got T = {snippets}")
    if feature_dim is not None and channels != feature_dim:
        raise FeatureError(f"expected {feature_dim} channels (D), got {channels}")


def _finite(features: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        # A float64 outside the range of float32 becomes Inf.
        features_TD = np.ascontiguousarray(features, dtype=np.float32)
        # A sum takes half the time of a test of each value. It is finite only if all values are.
        is_finite = np.isfinite(features_TD.sum()) or np.isfinite(features_TD).all()
    if not is_finite:
        bad = int(np.argmin(np.isfinite(features_TD).all(axis=1)))
        raise FeatureError(f"expected finite features, got NaN or Inf in snippet {bad}")
    return features_TD


def as_array(source: Any) -> NDArray[Any]:
    """Returns the values of an array of any library. They are not checked yet.

    Raises:
        FeatureError: numpy cannot hold the values, such as bfloat16.
    """
    if isinstance(source, np.ma.MaskedArray):
        return source
    try:
        if hasattr(source, "detach"):  # a torch tensor, on a GPU or with a gradient perhaps
            source = source.detach().cpu()
        return np.asarray(source)
    except Exception as error:  # any, because any library may have written `__array__`
        kind = f"{type(source).__name__} of {getattr(source, 'dtype', 'unknown type')}"
        raise FeatureError(
            f"{kind} does not convert to numpy: {error}; convert it to float32"
        ) from error


def read_features(path: Path) -> NDArray[Any]:
    """Returns the array of an .npy file, memory-mapped. Its values are not checked yet.

    Raises:
        FeatureError: the file is absent, no .npy file, cut short, or holds pickled objects.
    """
    try:
        check_regular(path)
        with path.open("rb") as file:
            is_archive = file.read(len(_ARCHIVE)) == _ARCHIVE
        array = None if is_archive else np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise FeatureError(f"no feature file {path}") from None
    except InputError as error:
        raise FeatureError(str(error)) from None
    except Exception as error:  # the reader of numpy raises any error of ast and struct
        raise FeatureError(f"{path} is not a readable .npy array: {error}") from error
    if array is None:
        raise FeatureError(
            f"{path} is an .npz archive; expected one .npy array, as numpy.save writes it"
        )
    return array


def check_regular(path: Path) -> None:
    """Checks that a path is a regular file, because a pipe blocks and cannot be read twice.

    Raises:
        OSError: there is no such file.
        InputError: the path is a folder, a pipe or a device.
    """
    mode = path.stat().st_mode
    if not stat.S_ISREG(mode):
        kinds = {stat.S_IFIFO: "a pipe", stat.S_IFDIR: "a folder", stat.S_IFSOCK: "a socket"}
        kind = kinds.get(stat.S_IFMT(mode), "a device")
        raise InputError(f"{path} is {kind}; expected a file, so write its content to one")
