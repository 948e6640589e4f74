"""Fast parser for features in JSON: simdjson puts the numbers of nested lists into one array.

orjson creates a Python object for every number, which takes five times as long and holds the
interpreter's lock throughout.
"""

import threading
from typing import Any

import numpy as np
import orjson
import simdjson
from numpy.typing import NDArray

_KEPT_BYTES = 96 * 1024 * 1024
"""Most memory that is kept for the next body."""
_NUMBER_BYTES = 24
"""Memory that simdjson takes for each number, in addition to a copy of the body."""
_kept: list[simdjson.Parser] = []
"""At most one parser, kept with its memory for the next body."""
_lock = threading.Lock()


def parse_matrix(
    content: bytes | memoryview, field: str, *, lists: int
) -> tuple[dict[str, Any], NDArray[np.float64]] | None:
    """Returns the other fields of a JSON object, and the matrix in `field`.

    Returns None if the body is not an object, or `field` has no lists of equally many numbers. The
    caller then finds the error with a slower parser.

    Args:
        content: the body.
        field: name of the field with the matrix.
        lists: number of opening brackets in the body.
    """
    with _lock:  # parallel calls gain nothing, because simdjson holds the interpreter's lock
        parser = _kept.pop() if _kept else simdjson.Parser()
        try:
            parsed = _parsed(parser, content, field, lists)
        except RuntimeError:  # the parser cannot be used again
            return None
        numbers = parsed[1].size if parsed else len(content) // 2
        if len(content) + _NUMBER_BYTES * numbers <= _KEPT_BYTES:
            _kept.append(parser)
    return parsed


def give_back() -> None:
    """Frees the memory kept for the next body. To allocate it again takes as long as parsing."""
    with _lock:
        _kept.clear()


def _parsed(
    parser: simdjson.Parser, content: bytes | memoryview, field: str, lists: int
) -> tuple[dict[str, Any], NDArray[np.float64]] | None:
    try:
        body: Any = parser.parse(content)
        rows = body[field]
        # Not items(), which would convert the matrix to Python objects as well.
        rest = {name: _plain(body[name]) for name in body.keys() if name != field}  # noqa: SIM118
        lengths = {len(row) for row in rows}
        flat = np.frombuffer(rows.as_buffer(of_type="d"), dtype=np.float64)
        others = orjson.dumps(rest).count(b"[")  # raises if nested too deeply
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    # as_buffer also flattens lists within a row; the number of brackets reveals them.
    is_flat = lists == 1 + len(rows) + others
    if not is_flat or len(lengths) != 1 or flat.size != len(rows) * min(lengths) or not flat.size:
        return None
    return rest, flat.reshape(len(rows), -1)


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value
