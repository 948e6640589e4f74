"""Features in JSON, the fast way: simdjson puts the numbers of nested lists into one array.

orjson makes an object of every number first, which takes five times as long, all of it with the
interpreter's lock held.
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
"""What simdjson takes for each number, beside a copy of the body."""
_kept: list[simdjson.Parser] = []
"""The one parser that waits for the next body, with its memory, or none."""
_lock = threading.Lock()


def parse_matrix(
    content: bytes | memoryview, field: str, *, lists: int
) -> tuple[dict[str, Any], NDArray[np.float64]] | None:
    """Returns the fields of a JSON object but one, and the matrix that this one is.

    None where the body is anything else than an object with lists of equally many numbers there;
    whoever asks finds out what is wrong with it.

    Args:
        content: the body.
        field: the name of the matrix.
        lists: how many opening brackets the body has.
    """
    with _lock:  # two at once would gain nothing, since simdjson holds the interpreter's lock
        parser = _kept.pop() if _kept else simdjson.Parser()
        try:
            found = _parsed(parser, content, field, lists)
        except RuntimeError:  # it cannot be used again
            return None
        numbers = found[1].size if found else len(content) // 2
        if len(content) + _NUMBER_BYTES * numbers <= _KEPT_BYTES:
            _kept.append(parser)
    return found


def give_back() -> None:
    """Gives back the memory kept for the next body; taking it anew takes as long as parsing."""
    with _lock:
        _kept.clear()


def _parsed(
    parser: simdjson.Parser, content: bytes | memoryview, field: str, lists: int
) -> tuple[dict[str, Any], NDArray[np.float64]] | None:
    try:
        body: Any = parser.parse(content)
        rows = body[field]
        # Not items(), which makes Python's objects of the matrix, too.
        rest = {name: _plain(body[name]) for name in body.keys() if name != field}  # noqa: SIM118
        lengths = {len(row) for row in rows}
        flat = np.frombuffer(rows.as_buffer(of_type="d"), dtype=np.float64)
        others = orjson.dumps(rest).count(b"[")  # refuses what is nested too deeply
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
    # A list within a row would be flattened like the rows themselves.
    is_flat = lists == 1 + len(rows) + others
    if not is_flat or len(lengths) != 1 or flat.size != len(rows) * min(lengths) or not flat.size:
        return None
    return rest, flat.reshape(len(rows), -1)


def _plain(value: Any) -> Any:
    if isinstance(value, simdjson.Object):
        return value.as_dict()
    return value.as_list() if isinstance(value, simdjson.Array) else value
