"""What an input is: features, a video file or a URI; each mistake is one sentence."""

from pathlib import Path

import numpy as np
import pytest
import torch

from ecm_client.errors import FeatureError, InputError
from ecm_client.inputs import Features, VideoFile, VideoUri, open_source

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
        (torch.zeros(4, 2, dtype=torch.bfloat16), "does not convert to numpy"),
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
    for name in ("cut.npy", "text.npy", "archive.npz", "whole.npy"):
        with pytest.raises(FeatureError, match=name):
            open_source(tmp_path / name)


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
