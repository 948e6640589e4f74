"""The fast JSON parser returns the same as the plain one, or nothing."""

import json
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import orjson
import pytest
import simdjson
from hypothesis import given
from hypothesis import strategies as st

from service.routes.json_features import give_back, parse_matrix

NUMBER = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
REST = st.dictionaries(
    st.text().filter(lambda name: name != "features" and "\0" not in name),
    st.none() | st.booleans() | NUMBER | st.text() | st.lists(st.text() | st.lists(NUMBER)),
    max_size=3,
)


def parse(content: bytes) -> tuple[dict[str, Any], np.ndarray] | None:
    return parse_matrix(content, "features", lists=content.count(b"["))


@given(REST, st.integers(1, 5), st.integers(1, 5), st.data())
def test_a_matrix_is_read_as_it_is(
    rest: dict[str, Any], rows: int, columns: int, data: st.DataObject
) -> None:
    """Exact to the last digit, with the other fields. Names with NUL take the slow path."""
    matrix = data.draw(st.lists(st.lists(NUMBER, min_size=columns, max_size=columns),
                                min_size=rows, max_size=rows))  # fmt: skip
    parsed = parse(json.dumps({**rest, "features": matrix}, ensure_ascii=False).encode())
    assert parsed is not None
    assert parsed[0] == rest
    np.testing.assert_array_equal(parsed[1], np.array(matrix, dtype=np.float64))


@given(st.recursive(st.none() | st.booleans() | NUMBER | st.text(max_size=3),
                    lambda inner: st.lists(inner, max_size=4), max_leaves=12))  # fmt: skip
def test_only_matrices_are_accepted(value: Any) -> None:
    """Of all JSON values, only lists of equally many numbers are accepted, unchanged."""
    parsed = parse(orjson.dumps({"features": value}))
    if parsed is not None:
        assert {len(row) for row in value} == {parsed[1].shape[1]}
        assert all(type(number) in (int, float) for row in value for number in row)
        np.testing.assert_array_equal(parsed[1], np.array(value, dtype=np.float64))


@pytest.mark.parametrize(
    "content",
    [
        b'{"features": [[1, 2], [3]]}',
        b'{"features": [[[1, 2], 3], [[], 4]]}',
        b'{"features": [[1, [2]], [3, 4]], "note": "]"}',
        b'{"features": [[1, true]]}',
        b'{"features": [[1e999]]}',
        b'{"features": [[99999999999999999999]]}',
        b'{"features": []}',
        b'{"features": [[]]}',
        b'{"features": [1, 2]}',
        b'{"features": {"a": [1]}}',
        b'{"features": 7}',
        b'{"other": [[1]]}',
        b"[[1]]",
        b"7",
        b"",
        b'{"features": [[1]]',
        b'{"features": [[1]]} x',
        b'{"features": [[1]], "a": "\xff"}',
        b'{"features": [[1]], "a": ' + b"[" * 500 + b"]" * 500 + b"}",
        b'{"features": [[1]], "a": ' + b'{"b": ' * 500 + b"1" + b"}" * 501,
    ],
)
def test_other_values_are_left_to_the_parser_that_finds_the_error(content: bytes) -> None:
    """Including values that flattening would accept."""
    assert parse(content) is None


def test_threads_that_share_a_parser_get_their_own_results() -> None:
    """Bodies of different lengths, malformed ones among them, while memory is freed."""

    def parsed(number: int) -> bool:
        matrix = np.full((1 + number % 7, 100), number, dtype=np.float64)
        assert parse(b'{"features": [[1, 2], [3, 4') is None
        result = parse(orjson.dumps({"features": matrix.tolist(), "note": number}))
        if number % 50 == 0:
            give_back()
        return bool(result and result[0] == {"note": number} and np.array_equal(result[1], matrix))

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(parsed, range(500)))


def test_the_memory_of_one_body_is_kept_for_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kept after any body, unless it took too much, and until `give_back`."""
    new, made = simdjson.Parser, []

    def make() -> simdjson.Parser:
        made.append(True)
        return new()

    monkeypatch.setattr("service.routes.json_features.simdjson.Parser", make)
    small, large = ({"features": [[0.5] * 10] * rows} for rows in (2, 200))
    give_back()
    for body in (small, {"video": {"uri": "x"}}, {"features": [[1], [2, 3]]}, small):
        parse(orjson.dumps(body))
        parse(b"no JSON")
    assert len(made) == 1
    give_back()
    assert parse(orjson.dumps(small)) is not None
    assert len(made) == 2
    monkeypatch.setattr("service.routes.json_features._KEPT_BYTES", 10_000)
    for _ in range(2):
        assert parse(orjson.dumps(large)) is not None
    assert len(made) == 3
