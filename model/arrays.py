"""Snippet features: reading and checking what comes from outside."""

import io
import math

import numpy as np
from numpy.typing import NDArray

from ecm_client.inputs import read_features as read_features
from model.errors import FeatureError


def check_features(
    features: NDArray[np.generic],
    *,
    feature_dim: int | None = None,
    max_snippets: int | None = None,
    video: str | None = None,
) -> NDArray[np.float32]:
    """Returns features as contiguous float32 (T, D).

    Args:
        features: an array from outside.
        feature_dim: the required D; any if not given.
        max_snippets: the largest T; any if not given.
        video: the id of the video, with which the message begins; no id if not given.

    Raises:
        FeatureError: not two axes, T = 0, T above `max_snippets`, D other than `feature_dim`,
            not floating point, or a value that is not finite.
    """
    try:
        _check_shape(features, feature_dim, max_snippets)
        return _finite(features)
    except FeatureError as error:
        if video is None:
            raise
        raise FeatureError(f"video {video}: {error}") from None


def _check_shape(
    features: NDArray[np.generic], feature_dim: int | None, max_snippets: int | None
) -> None:
    if features.ndim != 2:
        raise FeatureError(
            f"expected features of shape (snippets, channels), got shape {features.shape}"
        )
    snippets, channels = features.shape
    if not np.issubdtype(features.dtype, np.floating):
        raise FeatureError(f"expected floating-point features, got dtype {features.dtype}")
    if snippets == 0:
        raise FeatureError("expected at least one snippet, got none (T = 0)")
    if max_snippets is not None and snippets > max_snippets:
        raise FeatureError(f"expected at most {max_snippets} snippets, got T = {snippets}")
    if feature_dim is not None and channels != feature_dim:
        raise FeatureError(f"expected {feature_dim} channels (D), got {channels}")


def _finite(features: NDArray[np.generic]) -> NDArray[np.float32]:
    with np.errstate(over="ignore", invalid="ignore"):
        # float64 beyond float32 becomes Inf.
        features_TD = np.ascontiguousarray(features, dtype=np.float32)
        # A sum costs half of looking at each value, and is finite only if all of them are.
        is_finite = np.isfinite(features_TD.sum()) or np.isfinite(features_TD).all()
    if not is_finite:
        bad = int(np.argmin(np.isfinite(features_TD).all(axis=1)))
        raise FeatureError(f"expected finite features, got NaN or Inf in snippet {bad}")
    return features_TD


def parse_npy(body: bytes | memoryview) -> NDArray[np.generic]:
    """Returns the array in the bytes of an .npy file, without a copy of its data.

    Raises:
        FeatureError: not the .npy format, a wrong number of bytes, or pickled objects.
    """
    stream = io.BytesIO(body[:_NPY_HEADER_LIMIT_BYTES])
    try:
        version = np.lib.format.read_magic(stream)
        readers = {
            (1, 0): np.lib.format.read_array_header_1_0,
            (2, 0): np.lib.format.read_array_header_2_0,
        }
        if version not in readers:
            raise FeatureError(f"expected .npy format 1.0 or 2.0, got {version}")
        shape, fortran_order, dtype = readers[version](stream)
    except FeatureError:
        raise
    except Exception as error:  # numpy's header parser raises whatever ast and tokenize raise
        raise FeatureError(f"the body is not in .npy format: {error}") from None
    if dtype.hasobject:
        raise FeatureError("the .npy body holds pickled objects, which are refused")
    return parse_raw(body[stream.tell() :], shape=shape, dtype=dtype, fortran_order=fortran_order)


def _told(shape: tuple[int, ...]) -> str:
    """Returns a shape that cannot be as far as it can be written."""
    sizes = shape[: _MOST_AXES + 1]
    try:
        return str(sizes)[:200]
    except ValueError:  # a number of too many digits
        return f"{len(shape)} of them, not all so small"


def parse_raw(
    body: bytes | memoryview,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    fortran_order: bool = False,
) -> NDArray[np.generic]:
    """Returns the array whose values the bytes are, without a copy.

    Raises:
        FeatureError: the number of bytes is not what shape and dtype take, or no array has them.
    """
    is_whole = all(type(size) is int and 0 <= size <= _LARGEST_SIZE for size in shape)
    if not is_whole or len(shape) > _MOST_AXES:
        raise FeatureError(
            f"expected a shape of at most {_MOST_AXES} whole numbers from 0 to {_LARGEST_SIZE}, "
            f"got {_told(shape)}"
        )
    expected = math.prod(shape, start=dtype.itemsize)
    if len(body) != expected:
        raise FeatureError(f"shape {shape} of {dtype} takes {expected} bytes, got {len(body)}")
    try:
        flat = np.frombuffer(body, dtype=dtype)
        return flat.reshape(shape, order="F" if fortran_order else "C")
    except ValueError as error:  # a type without a size, or with axes of its own
        raise FeatureError(f"no array has shape {shape} of {dtype}: {error}") from None


_NPY_HEADER_LIMIT_BYTES = 64 * 1024
"""More than any header of a plain array takes."""
_LARGEST_SIZE = 2**63 - 1
_MOST_AXES = 64
"""As many as numpy takes."""
