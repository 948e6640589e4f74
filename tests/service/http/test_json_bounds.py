"""Bounds on the structure of JSON."""

import pytest

from service.errors import UnusableInputError
from service.http.json_bounds import MAX_OBJECTS, MAX_QUOTES, check_structure


def test_lists_are_counted_over_any_length() -> None:
    """A count goes on after each piece; exactly the limit is allowed."""
    content = b"[" + b"1," * 300_000 + b"[[" + b"2" * 300_000 + b"["
    assert check_structure(content, max_lists=4) == 4
    with pytest.raises(UnusableInputError, match="at most 3 lists in the JSON, got 4"):
        check_structure(content, max_lists=3)


@pytest.mark.parametrize(("character", "limit"), [(b"{", MAX_OBJECTS), (b'"', MAX_QUOTES)])
def test_objects_and_texts_are_limited(character: bytes, limit: int) -> None:
    """Exactly the limit is allowed."""
    assert check_structure(character * limit, max_lists=0) == 0
    with pytest.raises(UnusableInputError, match=f"{limit + 1}"):
        check_structure(memoryview(character * (limit + 1)), max_lists=0)


def test_empty_body_has_no_lists() -> None:
    """It is refused later, as no JSON."""
    assert check_structure(b"", max_lists=0) == 0
