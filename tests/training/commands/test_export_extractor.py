"""`ecm export-extractor` on checkpoints with seeded weights."""

import pickle
import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from features.backbone.extractor import open_onnx
from features.backbone.i3d import I3d, TwoStreamI3d, i3d_from_state
from features.backbone.libraries.request import Backbone
from features.backbone.spec import BackboneSpec, InputSpec, i3d_spec
from features.flow.opencv import DenseFlow, as_i3d_expects, to_grey
from features.video.reading import read_snippets
from model.errors import ModelError
from model.inference.engine import EngineConfig
from training.__main__ import main


def public_state(channels: int) -> dict[str, Tensor]:
    """Returns seeded weights under the names of the public checkpoints."""
    torch.manual_seed(channels)
    state = {k: v for k, v in I3d(channels).state_dict().items() if "num_batches" not in k}
    return {k: v * 6**0.5 if v.ndim == 5 else v for k, v in state.items()}


@pytest.fixture(scope="session")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """`rgb_imagenet.pt` and `flow_imagenet.pt` in the old format of the public checkpoints."""
    folder = tmp_path_factory.mktemp("i3d")
    rgb, flow = folder / "rgb_imagenet.pt", folder / "flow_imagenet.pt"
    torch.save(public_state(3), rgb, _use_new_zipfile_serialization=False)
    torch.save(public_state(2), flow, _use_new_zipfile_serialization=False)
    return rgb, flow


def command(rgb: Path, flow: Path, out: Path, *more: str) -> int:
    given = ["--rgb", str(rgb), "--flow", str(flow), "--out", str(out), *more]
    return main(["export-extractor", "i3d", *given])


@pytest.fixture(scope="session")
def exported(checkpoints: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that the command writes, which takes half a minute."""
    out = tmp_path_factory.mktemp("extractor") / "i3d.onnx"
    assert command(*checkpoints, out, "--flow-method", "dis") == 0
    return out


@pytest.mark.slow
def test_exported_file_holds_all_and_takes_any_batch(
    exported: Path, checkpoints: tuple[Path, Path]
) -> None:
    """Each stream has 1024 features; the spec names the checkpoints; there is no other file."""
    extractor = open_onnx(exported)
    assert extractor.feature_dim == 2048
    assert extractor.spec.inputs == i3d_spec(flow="dis").inputs
    assert set(extractor.spec.weights) == {"rgb", "flow"}
    assert [exported] == list(exported.parent.iterdir())


@pytest.mark.slow
def test_exported_file_equals_torch_on_a_real_clip(
    exported: Path, checkpoints: tuple[Path, Path], shared: Callable[[str], Path]
) -> None:
    """Rows are finite, do not depend on the batch, and equal those of torch."""
    clip = shared("data/clips/v_Fencing_g15_c01.avi")
    source = read_snippets(clip, rate_fps=25, snippet_frames=16, short_side=256)
    snippets = list(islice(source, 3))
    extractor = open_onnx(exported, engine=EngineConfig(device="cpu"))
    rows_SD = np.stack(list(extractor.features(snippets)))
    np.testing.assert_allclose(
        rows_SD[2], next(extractor.features(snippets[2:])), rtol=1e-5, atol=1e-6
    )
    height, width = snippets[0].shape[1:3]
    top, left = (height - 224) // 2, (width - 224) // 2
    centre = np.s_[:, top : top + 224, left : left + 224]
    rgb = (snippets[0][:16][centre] / 127.5 - 1).astype(np.float32)
    flow = as_i3d_expects(DenseFlow("dis")(to_grey(snippets[0])))[centre]
    streams = [
        i3d_from_state(torch.load(p), channels=c) for p, c in zip(checkpoints, (3, 2), strict=True)
    ]
    with torch.inference_mode():
        expected = TwoStreamI3d(*streams)(torch.from_numpy(rgb)[None], torch.from_numpy(flow)[None])
    np.testing.assert_allclose(rows_SD[0], expected[0].numpy(), rtol=1e-4, atol=1e-4)
    assert rows_SD.std(axis=0).max() > 1e-3


def test_missing_checkpoint_is_an_error(
    checkpoints: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the document that says where to find the files; nothing is written."""
    assert command(tmp_path / "none.pt", checkpoints[1], tmp_path / "out.onnx") == 1
    assert "docs/howto/extractors.md" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["i3d"], "i3d has no download; expected --rgb"),
        (["i3d", "--frames", "8"], "--frames cannot be used here: i3d has a clock of its own"),
        (["timm:resnet18", "--rgb", "a.pt"], "--rgb cannot be used here: .* use --weights"),
        (["timm:resnet18", "--flow-method", "dis"], "--flow-method cannot be used here"),
        (["keras:i3d"], "no backbone 'keras:i3d'; expected i3d, torchvision:NAME"),
    ],
)
def test_options_of_another_backbone_are_refused(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error names the option, and nothing is written."""
    assert main(["export-extractor", *arguments, "--out", str(tmp_path / "a.onnx")]) != 0
    assert re.search(message, " ".join(capsys.readouterr().err.split()))
    assert list(tmp_path.iterdir()) == []


def test_a_licence_that_forbids_commercial_use_is_said_aloud(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is printed at export, and kept in the file."""
    layer = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(3 * 4 * 4, 2))
    image = InputSpec("image", "NCHW", scale=1 / 255)
    spec = BackboneSpec((image,), "features", frames=1, size=4, licence="cc-by-nc-4.0")
    built = Backbone(layer, spec)
    command_module = "training.commands.export_extractor"
    monkeypatch.setattr(f"{command_module}.build_backbone", lambda *_: built)
    out = tmp_path / "a.onnx"
    assert main(["export-extractor", "timm:any", "--weights", "none", "--out", str(out)]) == 0
    assert "cc-by-nc-4.0, which FORBIDS COMMERCIAL USE" in capsys.readouterr().out
    assert open_onnx(out).spec.licence == "cc-by-nc-4.0"


def test_swapped_checkpoints_are_an_error(
    checkpoints: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The message names the file and its channels."""
    assert command(checkpoints[1], checkpoints[0], tmp_path / "out.onnx") == 1
    error = capsys.readouterr().err
    assert "flow_imagenet.pt" in error
    assert "for 3 channels, got 2" in error


class _Touch:
    """Creates a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_damaged_and_hostile_checkpoints_are_refused(
    checkpoints: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Text, a truncated file, another network, and code in a pickle, which is not run."""
    rgb, flow = checkpoints
    whole = rgb.read_bytes()
    witness = tmp_path / "witness"
    bad = tmp_path / "bad.pt"
    torch.save({"weight": torch.zeros(3)}, bad)
    contents = (
        b"text",
        b"",
        whole[: len(whole) // 2],
        bad.read_bytes(),
        pickle.dumps(_Touch(witness)),
    )
    for content in contents:
        bad.write_bytes(content)
        assert command(bad, flow, tmp_path / "out.onnx") == 1
        assert "bad.pt" in capsys.readouterr().err
    assert not witness.exists()
    assert [bad] == list(tmp_path.iterdir())


def test_a_failed_check_leaves_the_old_file(
    checkpoints: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The old file is replaced only after onnxruntime and torch agree."""

    def fail(_network: object, _spec: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise ModelError("onnxruntime and torch differ by 1")

    monkeypatch.setattr("training.commands.export_extractor.write_backbone", fail)
    out = tmp_path / "out.onnx"
    out.write_bytes(b"old")
    assert command(*checkpoints, out) == 1
    assert (b"old", [out]) == (out.read_bytes(), list(tmp_path.iterdir()))
