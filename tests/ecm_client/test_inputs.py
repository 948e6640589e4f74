"""Kinds of input: features, a video file or a URI. Each mistake is one sentence."""

import io
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ecm_client.errors import FeatureError, InputError
from ecm_client.features import check_features
from ecm_client.inputs import Features, VideoFile, VideoUri, open_source
from model.arrays import parse_npy

VALUES_TD = np.arange(8, dtype=np.float32).reshape(4, 2)


def test_arrays_tensors_and_npy_files_are_features(tmp_path: Path) -> None:
    """Any floating-point type; a tensor may have a gradient; a path may be text."""
    np.save(tmp_path / "a.npy", VALUES_TD)
    for source in (
        VALUES_TD,
        VALUES_TD.astype(np.float64),
        torch.tensor(VALUES_TD, requires_grad=True),
        tmp_path / "a.npy",
        str(tmp_path / "a.npy"),
    ):
        opened = open_source(source)
        assert isinstance(opened, Features)
        np.testing.assert_array_equal(opened.values_TD, VALUES_TD)


def test_other_files_are_videos_and_addresses_are_uris(tmp_path: Path) -> None:
    """Whatever the ending of a file; a URI need not exist."""
    for name in ("a.mp4", "b", "c.txt"):
        (tmp_path / name).write_bytes(b"video")
        assert open_source(tmp_path / name) == VideoFile(tmp_path / name)
    for uri in ("https://example.org/a.mp4", "file:///a.mp4", "s3://b/a.npy"):
        assert open_source(uri) == VideoUri(uri)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (VALUES_TD[0], r"\(snippets, channels\), got shape \(2,\)"),
        (VALUES_TD[None], r"got shape \(1, 4, 2\)"),
        (VALUES_TD.astype(np.int64), "floating-point features, got dtype int64"),
        (VALUES_TD > 1, "got dtype bool"),
        (VALUES_TD.astype(np.complex64), "got dtype complex64"),
        (np.ma.masked_less(VALUES_TD, 1), "masked array"),
        (torch.zeros(4, 2, dtype=torch.bfloat16), "Tensor of torch.bfloat16 does not convert"),
        (torch.zeros(4, 2, device="meta"), "does not convert to numpy"),
        (torch.zeros(4, 2).to_sparse(), "does not convert to numpy"),
        (torch.zeros(4, 2, dtype=torch.complex64).conj(), "does not convert|got dtype complex64"),
        (VALUES_TD.astype(str), "got dtype <U32"),
        (VALUES_TD.astype("datetime64[s]"), "got dtype datetime64"),
        (VALUES_TD.astype(object), "got dtype object"),
        (VALUES_TD[:0], r"at least one snippet, got none \(T = 0\)"),
        (np.where(VALUES_TD == 4, np.nan, VALUES_TD), "got NaN or Inf in snippet 2"),
        (np.where(VALUES_TD == 4, 1e300, VALUES_TD.astype(np.float64)), "NaN or Inf in snippet 2"),
        (np.zeros((4, 2), [("x", np.float32)]), "got dtype"),
        ("absent.npy", "no feature file absent.npy"),
    ],
)
def test_unusable_features_are_named(source: object, message: str) -> None:
    """By their shape, their type or their file."""
    with pytest.raises(FeatureError, match=message):
        open_source(source)  # type: ignore[arg-type]


def test_unusable_files_of_features_are_named(tmp_path: Path) -> None:
    """Cut short, another format, an archive, the wrong type of value."""
    np.save(tmp_path / "cut.npy", VALUES_TD)
    (tmp_path / "cut.npy").write_bytes((tmp_path / "cut.npy").read_bytes()[:-3])
    (tmp_path / "text.npy").write_text("no array")
    np.savez(tmp_path / "archive.npz", VALUES_TD)
    np.save(tmp_path / "whole.npy", VALUES_TD.astype(np.int64))
    (tmp_path / "disguised.npy").write_bytes((tmp_path / "archive.npz").read_bytes())
    (tmp_path / "damaged.npz").write_bytes((tmp_path / "archive.npz").read_bytes()[:-9])
    np.save(tmp_path / "bfloat16.npy", np.zeros((4, 2), "V2"))
    np.save(tmp_path / "texts.npy", VALUES_TD.astype(str))
    np.save(tmp_path / "objects.npy", VALUES_TD.astype(object))
    header = b"{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 4611686018427387904)}\n"
    for name, sizes in (("huge.npy", b"1"), ("huger.npy", b"4611686018427387904")):
        text = header.replace(b"%d", sizes)
        (tmp_path / name).write_bytes(b"\x93NUMPY\x01\x00%c\x00" % len(text) + text)
    os.mkfifo(tmp_path / "pipe.npy")
    for path in sorted(tmp_path.iterdir()):
        with pytest.raises(FeatureError, match=path.name):
            open_source(path)


def test_reference_files_of_features_are_refused(shared: Callable[[str], Path]) -> None:
    """One sentence for each; bfloat16 is guessed."""
    folder = shared("data/cases/features")
    for name, words in (
        ("features.npz", "is an .npz archive; expected one .npy array"),
        ("npz_in_disguise.npy", "is an .npz archive; expected one .npy array"),
        ("bf16_as_V2.npy", "perhaps bfloat16; save float32"),
        ("str.npy", "got dtype <U"),
    ):
        with pytest.raises(FeatureError, match=words):
            open_source(folder / name)


@given(
    dtype=st.sampled_from("?bhilqBHILQefdgFDGSUVOmM"),
    shape=st.sampled_from([(), (2,), (2, 3), (0, 3), (2, 3, 1)]),
    value=st.sampled_from([0, 1, 300]),
)
def test_client_and_service_refuse_the_same_features(
    dtype: str, shape: tuple[int, ...], value: int
) -> None:
    """By every type of numpy, with the same reason; objects cannot be sent at all."""
    values = np.full(shape, value).astype(dtype)
    file = io.BytesIO()
    np.save(file, values)

    def reason(call: Callable[[], object]) -> str | None:
        try:
            call()
        except FeatureError as error:
            return str(error)
        return None

    ours = reason(lambda: open_source(values))
    theirs = reason(lambda: check_features(parse_npy(file.getvalue())))
    assert ours == theirs or dtype == "O"
    assert (ours is None) == (dtype in "efdg" and shape == (2, 3))


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("nothing here", "'nothing here' cannot be read: No such file or directory; expected an"),
        ("\0", "embedded null byte"),
        ("x" * 5000, "File name too long"),
        (Path(), "is a folder; expected .*localize_many"),
        ([VALUES_TD], "got list; localize_many takes several inputs"),
        (b"match.mp4", "got bytes$"),
        (None, "got NoneType$"),
        (3, "got int$"),
    ],
)
def test_what_is_neither_features_nor_path_nor_uri_is_named(source: object, message: str) -> None:
    """With what was expected."""
    with pytest.raises(InputError, match=message):
        open_source(source)  # type: ignore[arg-type]


def test_a_pipe_is_no_video(tmp_path: Path) -> None:
    """It would block, and cannot be read twice."""
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(InputError, match=r"pipe.mp4 is a pipe; expected a file"):
        open_source(tmp_path / "pipe.mp4")
