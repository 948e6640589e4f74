"""Snippet features in the bytes of a request or a file."""

import io
import math

import numpy as np
from numpy.typing import NDArray

# The clients check features by the same functions, and do not import this package.
from ecm_client.features import check_features as check_features
from ecm_client.features import read_features as read_features
from model.errors import FeatureError


def parse_npy(body: bytes | memoryview) -> NDArray[np.generic]:
    """Returns the array in the bytes of an .npy file, without copying its data.

    Raises:
        FeatureError: the bytes are not in .npy format, are too few or too many, or contain pickled
            objects.
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
    except Exception as error:  # the parser of numpy raises any error of ast and tokenize
        raise FeatureError(f"the body is not in .npy format: {error}") from None
    if dtype.hasobject:
        raise FeatureError("the .npy body contains pickled objects, which are refused")
    return parse_raw(body[stream.tell() :], shape=shape, dtype=dtype, fortran_order=fortran_order)


def _shape_text(shape: tuple[int, ...]) -> str:
    """Returns an invalid shape as text, at most 200 characters."""
    sizes = shape[: _MOST_AXES + 1]
    try:
        return str(sizes)[:200]
    except ValueError:  # a number has too many digits to print
        return f"{len(shape)} sizes, at least one of them too large to print"


def parse_raw(
    body: bytes | memoryview,
    *,
    shape: tuple[int, ...],
    dtype: np.dtype[np.generic],
    fortran_order: bool = False,
) -> NDArray[np.generic]:
    """Returns the array that consists of the bytes, without copying them.

    Raises:
        FeatureError: shape and dtype need another number of bytes, or no array can have them.
    """
    is_whole = all(type(size) is int and 0 <= size <= _LARGEST_SIZE for size in shape)
    if not is_whole or len(shape) > _MOST_AXES:
        raise FeatureError(
            f"expected a shape of at most {_MOST_AXES} whole numbers from 0 to {_LARGEST_SIZE}, "
            f"got {_shape_text(shape)}"
        )
    expected = math.prod(shape, start=dtype.itemsize)
    if len(body) != expected:
        raise FeatureError(f"shape {shape} of {dtype} needs {expected} bytes, got {len(body)}")
    try:
        flat = np.frombuffer(body, dtype=dtype)
        return flat.reshape(shape, order="F" if fortran_order else "C")
    except ValueError as error:  # a dtype without a size, or with axes of its own
        raise FeatureError(f"no array can have shape {shape} of {dtype}: {error}") from None


_NPY_HEADER_LIMIT_BYTES = 64 * 1024
"""No header of a plain array is longer."""
_LARGEST_SIZE = 2**63 - 1
_MOST_AXES = 64
"""The limit of numpy."""
