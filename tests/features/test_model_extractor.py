"""The extractor of a model, found by its hash."""

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import pytest

from features.model_extractor import MAX_ONNX_BYTES, find_extractor
from model.errors import ModelNotFoundError
from model.spec import ExtractorIdentity, ModelSpec


def test_only_files_that_may_be_networks_are_read(tmp_path: Path, spec: ModelSpec) -> None:
    """A file longer than any network, a folder and a pipe are passed over at once."""
    with (tmp_path / "a.onnx").open("wb") as file:
        file.truncate(MAX_ONNX_BYTES + 1)
    (tmp_path / "b.onnx").mkdir()
    os.mkfifo(tmp_path / "c.onnx")
    (tmp_path / "d.onnx").write_bytes(b"weights")
    wanted = ExtractorIdentity("backbone", hashlib.sha256(b"weights").hexdigest())
    assert find_extractor(replace(spec, extractor=wanted), tmp_path) == str(tmp_path / "d.onnx")
    huge = ExtractorIdentity("backbone", "0" * 64)
    with pytest.raises(ModelNotFoundError, match=r"no \.onnx file"):
        find_extractor(replace(spec, extractor=huge), tmp_path)
