"""Reading and checking of feature arrays."""

import contextlib
import io
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from model.arrays import check_features, parse_npy, parse_raw, read_features
from model.errors import FeatureError

VALUES = [np.float32(value) for value in (0, 1, 3e38, -3e38, np.inf, -np.inf, np.nan)]


def npy(array: np.ndarray, **options: bool) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array, **options)
    return stream.getvalue()


def header(shape: str, descr: str = "'<f4'", version: int = 1) -> bytes:
    """Returns the start of an .npy file in C order."""
    text = f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n".encode()
    length = len(text).to_bytes(2 if version == 1 else 4, "little")
    return b"\x93NUMPY" + bytes([version, 0]) + length + text


@pytest.mark.parametrize(
    ("features", "message"),
    [
        (np.zeros(4, dtype=np.float32), r"shape \(4,\)"),
        (np.zeros((0, 4), dtype=np.float32), "T = 0"),
        (np.zeros((9, 4), dtype=np.float32), "at most 8 snippets, got T = 9"),
        (np.zeros((3, 5), dtype=np.float32), "expected 4 channels .*got 5"),
        (np.zeros((3, 4), dtype=np.int64), "dtype int64"),
        (np.array([[0, 0, 0, 0], [0, np.nan, 0, 0]], dtype=np.float32), "snippet 1"),
        (np.full((1, 4), 1e300), "NaN or Inf"),
    ],
)
def test_unusable_features_are_refused(features: np.ndarray, message: str) -> None:
    """The message contains the expected and the actual value."""
    with pytest.raises(FeatureError, match=message):
        check_features(features, feature_dim=4, max_snippets=8)


@given(hnp.arrays(np.float32, (3, 4), elements=st.sampled_from(VALUES)))
def test_features_are_accepted_if_and_only_if_all_are_finite(features_TD: np.ndarray) -> None:
    """Values with an infinite sum are accepted, without a warning."""
    if np.isfinite(features_TD).all():
        np.testing.assert_array_equal(check_features(features_TD), features_TD)
    else:
        with pytest.raises(FeatureError, match="NaN or Inf"):
            check_features(features_TD)


@given(hnp.arrays(st.sampled_from([np.float16, np.float32, np.float64]), hnp.array_shapes()))
def test_parsed_npy_is_what_numpy_saved(array: np.ndarray) -> None:
    """Any plain array is restored, in either memory order."""
    for ordered in (array, np.asfortranarray(array)):
        np.testing.assert_array_equal(parse_npy(npy(ordered)), ordered)


@given(st.data())
def test_damaged_npy_is_refused_or_read_never_crashes(data: st.DataObject) -> None:
    """A changed byte or a truncation raises FeatureError at most."""
    content = bytearray(npy(np.ones((3, 4), dtype=np.float32)))
    place = data.draw(st.integers(0, len(content) - 1))
    if data.draw(st.booleans()):
        content[place] = data.draw(st.integers(0, 255))
    else:
        del content[place:]
    with contextlib.suppress(FeatureError):
        parse_npy(bytes(content))


@pytest.mark.parametrize(
    ("shape", "descr"),
    [
        ("(True, 12)", "'<f4'"),
        ("(3, 4" + ", 1" * 80 + ")", "'<f4'"),
        ("(-3, -4)", "'<f4'"),
        (f"(0x{'f' * 6000}, 0)", "'<f4'"),
        (f"({'9' * 4000}, {'9' * 4000})", "'<f4'"),
        ("(" + f"{10**18}, " * 400 + ")", "'<f4'"),
        ("(12, 0)", "'<U0'"),
        ("(6,)", "('<f4', (2,))"),
        ("(3, 4)", "'|O'"),
        ("(3, 4)", "[('a', '<f4'), ('a', '<f4')]"),
    ],
)
def test_npy_header_that_no_array_has_is_refused(shape: str, descr: str) -> None:
    """Invalid sizes, too many axes and invalid types raise FeatureError, with or without values."""
    for values in (b"", bytes(48)):
        with pytest.raises(FeatureError):
            parse_npy(header(shape, descr) + values)


def test_formats_1_and_2_are_read() -> None:
    """Format 3 is for names of fields, which plain arrays do not have."""
    values = np.arange(6, dtype="<f4").reshape(2, 3)
    for version in (1, 2):
        parsed = parse_npy(header("(2, 3)", version=version) + values.tobytes())
        np.testing.assert_array_equal(parsed, values)
    with pytest.raises(FeatureError, match=r"expected \.npy format 1\.0 or 2\.0, got \(3, 0\)"):
        parse_npy(header("(2, 3)", version=3) + values.tobytes())


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((2, 3), r"shape \(2, 3\) of float32 needs 24 bytes, got 4"),
        ((-1, -1), r"at most 64 whole numbers from 0 to 9223372036854775807, got \(-1, -1\)"),
        ((1,) * 65, r"at most 64 whole numbers .*, got \(1, 1, "),
        ((10**5000, 1), "got 2 sizes, at least one of them too large to print"),
    ],
)
def test_a_shape_that_does_not_fit_is_named(shape: tuple[int, ...], message: str) -> None:
    """The message is short, however long the shape is."""
    with pytest.raises(FeatureError, match=message) as refused:
        parse_raw(bytes(4), shape=shape, dtype=np.dtype(np.float32))
    assert len(str(refused.value)) < 400


def test_raw_values_are_row_by_row() -> None:
    """As many axes as numpy has are accepted."""
    values = np.arange(6, dtype=np.float32)
    parsed = parse_raw(values.tobytes(), shape=(2, 3), dtype=values.dtype)
    np.testing.assert_array_equal(parsed, [[0, 1, 2], [3, 4, 5]])
    assert parse_raw(bytes(4), shape=(1,) * 64, dtype=values.dtype).ndim == 64


def test_pickled_npy_is_refused() -> None:
    """Objects are never unpickled."""
    with pytest.raises(FeatureError, match="pickled"):
        parse_npy(npy(np.array([{"a": 1}], dtype=object), allow_pickle=True))


def test_unreadable_files_are_named(tmp_path: Path) -> None:
    """An absent file, a text file, an empty file and an archive each have a message."""
    for name, content in (("text.npy", b"hello"), ("empty.npy", b""), ("cut.npy", b"\x93NUMPY")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(FeatureError, match=name):
            read_features(tmp_path / name)
    np.savez(tmp_path / "archive.npz", a=np.ones(3))
    with pytest.raises(FeatureError, match="archive"):
        read_features(tmp_path / "archive.npz")
    with pytest.raises(FeatureError, match=r"absent\.npy"):
        read_features(tmp_path / "absent.npy")
