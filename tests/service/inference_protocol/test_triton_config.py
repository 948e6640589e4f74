"""Output of `python -m service export-triton`, read as Triton reads it."""

from pathlib import Path

import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from model.export import write_onnx
from model.network import Ecm, EcmConfig
from model.repository import list_models, publish
from model.spec import ModelSpec
from service.__main__ import main


def config(path: Path) -> model_config_pb2.ModelConfig:
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


def onnx_tensors(values: list[onnx.ValueInfoProto]) -> dict[str, tuple[str, list[int]]]:
    """Returns type and sizes of each tensor, as Triton names them."""
    types = {onnx.TensorProto.FLOAT: "TYPE_FP32", onnx.TensorProto.INT64: "TYPE_INT64"}
    tensors = {}
    for value in values:
        tensor = value.type.tensor_type
        sizes = [d.dim_value if d.HasField("dim_value") else -1 for d in tensor.shape.dim]
        tensors[value.name] = (types[tensor.elem_type], sizes)
    return tensors


def configured(tensors: list[model_config_pb2.ModelInput]) -> dict[str, tuple[str, list[int]]]:
    types = model_config_pb2.DataType
    return {tensor.name: (types.Name(tensor.data_type), list(tensor.dims)) for tensor in tensors}


def test_config_agrees_with_the_onnx_file(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Name, backend, every version, and the inputs and outputs of the file itself."""
    assert main(["export-triton", str(repository)]) == 0
    path = repository / "small" / "config.pbtxt"
    assert capsys.readouterr().out == f"{path}\n"
    written = config(path)
    graph = onnx.load(repository / "small" / "1" / "model.onnx").graph
    assert (written.name, written.backend, written.max_batch_size) == ("small", "onnxruntime", 0)
    assert written.version_policy.WhichOneof("policy_choice") == "all"
    assert configured(written.input) == onnx_tensors(graph.input)
    assert configured(written.output) == onnx_tensors(graph.output)
    assert [model.version for model in list_models(repository)] == [1]


def test_other_files_are_kept_unless_forced(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An operator's changes are preserved; the same content again is no error."""
    path = repository / "small" / "config.pbtxt"
    assert main(["export-triton", str(repository)]) == 0
    written = path.read_text()
    assert main(["export-triton", str(repository)]) == 0
    path.write_text("# mine\n" + written)
    assert main(["export-triton", str(repository)]) == 1
    assert "--force" in capsys.readouterr().err
    assert path.read_text() == "# mine\n" + written
    assert main(["export-triton", str(repository), "--force"]) == 0
    assert path.read_text() == written
    assert sorted(entry.name for entry in path.parent.iterdir()) == ["1", "config.pbtxt"]


def test_a_bad_model_disturbs_no_other(
    repository: Path, exported: bytes, spec: ModelSpec, capsys: pytest.CaptureFixture[str]
) -> None:
    """A damaged model, and one whose versions differ, are reported."""
    publish(repository, "cut", lambda path: path.write_bytes(b"\x08\x0a garbage"))
    publish(repository, "grown", lambda path: path.write_bytes(exported))
    wider = ModelSpec(labels=("a", "b"), feature_dim=8, snippets=16, topk_ratio=0.25)
    network = Ecm(EcmConfig(8, 2, hidden_width=16)).eval()
    publish(repository, "grown", lambda path: write_onnx(network, wider, path))
    assert main(["export-triton", str(repository)]) == 1
    output = capsys.readouterr()
    assert output.out == f"{repository / 'small' / 'config.pbtxt'}\n"
    assert "model cut/1" in output.err
    assert "versions 1 and 2 of 'grown' differ" in output.err
    assert not (repository / "grown" / "config.pbtxt").exists()


def test_an_empty_repository_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An empty repository is an error."""
    assert main(["export-triton", str(tmp_path)]) == 1
    assert "no model in" in capsys.readouterr().err
