"""Bounds on the structure of JSON, counted before it is parsed.

A parser makes an object for each list, each object and each string, with up to thirty times the
memory of its text, and holds the interpreter's lock. Numbers are cheap, and features are numbers.
"""

from typing import Final

import numpy as np

from service.errors import UnusableInputError
from service.http.body import Body

MAX_OBJECTS: Final = 100
"""Most JSON objects in a body."""
MAX_QUOTES: Final = 1000
"""Most quotation marks in a body; a field with a text has four."""
_CACHED_BYTES = 256 * 1024


def check_structure(content: Body, *, max_lists: int) -> int:
    """Returns the number of lists in a body of JSON; brackets within texts count as well.

    Args:
        content: the body; it need not be JSON.
        max_lists: most lists.

    Raises:
        UnusableInputError: the body has too many lists, objects or texts.
    """
    lists, objects, quotes = _counts(content, "[", "{", '"')
    if lists > max_lists:
        raise UnusableInputError(f"expected at most {max_lists} lists in the JSON, got {lists}")
    if objects > MAX_OBJECTS or quotes > MAX_QUOTES:
        raise UnusableInputError(
            f"expected at most {MAX_OBJECTS} objects and {MAX_QUOTES} quotation marks in the JSON, "
            f"got {objects} and {quotes}; leave out unknown fields"
        )
    return lists


def _counts(content: Body, *characters: str) -> list[int]:
    """Returns how often each character occurs, counted in pieces that fit the CPU's cache."""
    flat = np.frombuffer(content, dtype=np.uint8)
    counts = [0] * len(characters)
    for start in range(0, len(flat), _CACHED_BYTES):
        piece = flat[start : start + _CACHED_BYTES]
        for index, character in enumerate(characters):
            counts[index] += int(np.count_nonzero(piece == ord(character)))
    return counts
