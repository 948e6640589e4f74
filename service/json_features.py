"""Features in JSON, the fast way: simdjson puts the numbers of nested lists into one array.

orjson makes an object of every number first, which takes five times as long, all of it with the
interpreter's lock held.
"""

from typing import Any

import numpy as np
import orjson
import simdjson
from numpy.typing import NDArray


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
    try:
        body: Any = simdjson.Parser().parse(content)
        rows = body[field]
        # Not items(), which makes Python's objects of the matrix, too.
        rest = {name: _plain(body[name]) for name in body.keys() if name != field}  # noqa: SIM118
        lengths = {len(row) for row in rows}
        flat = np.frombuffer(rows.as_buffer(of_type="d"), dtype=np.float64)
        others = orjson.dumps(rest).count(b"[")  # refuses what is nested too deeply
    except (ValueError, TypeError, KeyError, RuntimeError, AttributeError):
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
