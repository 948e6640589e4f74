"""Export of a torch backbone to one ONNX file that contains its spec."""

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from features.backbone.spec import METADATA_KEY, BackboneSpec
from model.export import check_equal, save_onnx
from model.inference.engine import EngineConfig, open_session

_CLIPS = 2
"""Clips of the example inputs; the exporter would treat a batch of one as a constant."""


def write_backbone(network: nn.Module, spec: BackboneSpec, path: Path) -> None:
    """Writes a network as an ONNX file with a spec, and checks the file in onnxruntime.

    The number of clips is free.

    Args:
        network: maps the inputs of the spec, in its order, to features (N, D).
        spec: the preprocessing.
        path: path of the ONNX file.

    Raises:
        ModelError: onnxruntime and torch differ.
    """
    network = network.cpu().eval()
    examples = tuple(torch.zeros(spec.shape(wanted, batch=_CLIPS)) for wanted in spec.inputs)
    save_onnx(
        network,
        examples,
        path,
        names=([wanted.name for wanted in spec.inputs], [spec.output]),
        free=tuple({0: "batch"} for _ in spec.inputs),
        metadata={METADATA_KEY: spec.to_json()},
    )
    _compare(network, spec, path)


def _compare(network: nn.Module, spec: BackboneSpec, path: Path) -> None:
    """Compares torch and onnxruntime on two random clips."""
    session = open_session(path.read_bytes(), EngineConfig(device="cpu"))
    rng = np.random.default_rng(0)
    clips: dict[str, NDArray[np.float32]] = {
        wanted.name: rng.uniform(-1, 1, spec.shape(wanted, batch=_CLIPS)).astype(np.float32)
        for wanted in spec.inputs
    }
    with torch.inference_mode():
        expected_ND = network(*(torch.from_numpy(clip) for clip in clips.values())).numpy()
    check_equal(session.run([spec.output], clips)[0], expected_ND, path)
