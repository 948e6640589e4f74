"""Paths that hold a model, and what is said of those that do not."""

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from ecm_localizer import Localizer, LocalizerError
from model.errors import IntegrityError, ModelError, ModelNotFoundError, OptionError
from model.repository import publish


def test_a_model_opens_from_every_path_that_holds_it(
    repository: Path, exported: bytes, features_TD: np.ndarray, tmp_path: Path
) -> None:
    """Its folder, a version, the file, a repository with one model, a file elsewhere, a link."""
    publish(repository, "small", lambda path: path.write_bytes(exported))
    alone = tmp_path / "copied.onnx"
    alone.write_bytes(exported)
    (tmp_path / "link").symlink_to(repository / "small")
    expected = Localizer.open(repository / "small").localize(features_TD)
    assert (expected.model, expected.version) == ("small", 2)
    for path, name, version in (
        (repository / "small", "small", 2),
        (str(repository / "small"), "small", 2),
        (repository / "small" / "1", "small", 1),
        (repository / "small" / "1" / "model.onnx", "small", 1),
        (repository, "small", 2),
        (alone, "copied", None),
        (tmp_path / "link", "link", 2),
    ):
        found = Localizer.open(path).localize(features_TD)
        assert (found.model, found.version) == (name, version)
        assert found.segments == expected.segments
    assert Localizer.open(repository / "small", version=1).localize(features_TD).version == 1


def test_a_training_run_opens_as_its_last_checkpoint(run: Path) -> None:
    """With torch, on features of the size that it was trained on."""
    localizer = Localizer.open(run)
    features_TD = np.zeros((20, localizer.spec.feature_dim), np.float32)
    assert localizer.localize(features_TD, snippet_s=1.0).duration_s == 20.0
    assert Localizer.open(run / "last.pt").spec == localizer.spec


def test_a_path_without_a_model_is_described(repository: Path, tmp_path: Path) -> None:
    """Absent, empty, full of other things, several models, another version."""
    publish(repository, "other", lambda path: path.write_bytes(b"x"))
    empty, full = tmp_path / "empty", tmp_path / "full"
    empty.mkdir()
    full.mkdir()
    for number in range(12):
        (full / f"{number:02d}.txt").touch()
    for path, options, message in (
        (tmp_path / "absent", {}, "absent does not exist; expected a model of a repository"),
        (empty, {}, "is an empty folder"),
        (full, {}, r"holds no model but 00.txt, .*07.txt and 4 more; expected"),
        (repository, {}, "holds the models other, small; open one of them"),
        (repository / "small", {"version": 7}, "has no version 7, only 1"),
        (repository / "small" / "1", {"version": 2}, "has no version 2, only 1"),
    ):
        with pytest.raises(ModelNotFoundError, match=message):
            Localizer.open(path, **options)


def test_a_damaged_file_is_refused(repository: Path, exported: bytes) -> None:
    """Half of it, one without a spec, one of other software; each names the file."""
    path = repository / "small" / "1" / "model.onnx"
    path.write_bytes(exported[: len(exported) // 2])
    with pytest.raises(IntegrityError, match=r"model.onnx has SHA-256"):
        Localizer.open(repository / "small")
    path.with_name("model.onnx.sha256").unlink()
    with pytest.raises(ModelError, match=r"model.onnx: not a readable ONNX network"):
        Localizer.open(repository / "small")
    path.unlink()
    with pytest.raises(IntegrityError, match=r"model.onnx cannot be read"):
        Localizer.open(repository / "small")


def test_a_spec_of_a_newer_version_says_so(exported: bytes, tmp_path: Path) -> None:
    """Also where it has fields that this software does not know."""
    network = onnx.load_from_string(exported)
    entry = next(entry for entry in network.metadata_props if entry.key == "ecm.spec")
    spec = json.loads(entry.value)
    for changes, message in (
        ({"format": 2, "labels": {"de": "Wurf"}}, "format 2.*newer version.*reads format 1"),
        ({"labels": []}, "labels"),
    ):
        entry.value = json.dumps(spec | changes)
        path = tmp_path / "newer.onnx"
        path.write_bytes(network.SerializeToString())
        with pytest.raises(ModelError, match=rf"newer.onnx: .*{message}"):
            Localizer.open(path)


def test_wrong_options_are_named(repository: Path) -> None:
    """Device, threads and version."""
    for options in (
        {"device": "gpu"},
        {"threads": -1},
        {"threads": True},
        {"version": 0},
        {"version": "1"},
    ):
        (name,) = options
        with pytest.raises(OptionError, match=name):
            Localizer.open(repository / "small", **options)  # type: ignore[arg-type]


def test_cuda_is_required_where_it_is_named(repository: Path) -> None:
    """Nothing falls back to the CPU in silence."""
    import onnxruntime

    if "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        pytest.skip("there is a CUDA GPU")
    with pytest.raises(LocalizerError, match="CUDA"):
        Localizer.open(repository / "small", device="cuda")
