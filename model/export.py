"""Export of a torch network to one ONNX file that contains its spec.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import copy
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.errors import ModelError
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine
from model.network import Ecm, valid_snippets
from model.spec import METADATA_KEY, ModelSpec

OPSET = 18
TOLERANCE = 1e-4
"""Largest allowed difference between torch and onnxruntime, relative to the largest value."""
HALF_TOLERANCE = 4 * 2**-11
"""Largest allowed difference of a network in float16, which rounds by 2^-11, from torch in float32.
Networks of 16 to 2,048 channels, including trained ones, differed by at most 1.6 times 2^-11."""

_SCALES = (1, 100)
"""Factors on the features of the test after an export; the largest float16 is 65,504."""


class AsImages(nn.Module):
    """A network that treats features as images one pixel high, with the same result.

    onnxruntime blocks the channels of 2-D convolutions for the vector units of a CPU. It does not
    do so for 1-D convolutions, which take a quarter longer.
    """

    def __init__(self, network: Ecm) -> None:
        super().__init__()
        network = copy.deepcopy(network)
        self.standardize, self.classifier = network.standardize, network.classifier
        for name in ("conv_1", "conv_2", "conv_3"):
            setattr(self.classifier, name, _as_conv2d(getattr(self.classifier, name)))

    def forward(self, features_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Returns the class activation sequence, logits (B, T, C); 0 beyond the lengths."""
        features_BD1T = self.standardize(features_BTD).transpose(1, 2)[:, :, None]
        valid_B11T = valid_snippets(features_BTD, lengths_B)[:, :, None]
        cas_BC1T: Tensor = self.classifier(features_BD1T, valid_B11T) * valid_B11T
        return cas_BC1T[:, :, 0].transpose(1, 2)


def _as_conv2d(conv: nn.Conv1d) -> nn.Conv2d:
    (width,), has_bias = conv.kernel_size, conv.bias is not None
    conv2d = nn.Conv2d(
        conv.in_channels, conv.out_channels, (1, width), padding="same", bias=has_bias
    )
    conv2d.load_state_dict({**conv.state_dict(), "weight": conv.weight.data[:, :, None]})
    return conv2d


class InHalf(nn.Module):
    """A network that computes in float16, with float32 inputs and outputs.

    Standardization stays in float32, because raw features may have any scale.
    """

    def __init__(self, network: AsImages) -> None:
        super().__init__()
        network = copy.deepcopy(network)
        self.standardize = network.standardize
        network.standardize = nn.Identity()
        self.network = network.half()

    def forward(self, features_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Returns the class activation sequence, logits (B, T, C); 0 beyond the lengths."""
        cas_BTC: Tensor = self.network(self.standardize(features_BTD).half(), lengths_B)
        return cas_BTC.float()


def write_onnx(network: Ecm, spec: ModelSpec, path: Path) -> None:
    """Writes an ONNX file that computes the CAS from features and lengths, and checks it.

    The numbers of videos and of snippets are free. The spec chooses the precision.

    Raises:
        ModelError: onnxruntime and torch differ, or onnxruntime overflows.
    """
    network = network.cpu().eval()
    images = AsImages(network)
    save_onnx(
        InHalf(images) if spec.precision == "float16" else images,
        (torch.zeros(2, 8, spec.feature_dim), torch.tensor([8, 5])),
        path,
        names=([FEATURES, LENGTHS], [CAS]),
        free=({0: "batch", 1: "snippets"}, {0: "batch"}),
        metadata={METADATA_KEY: spec.to_json()},
    )
    _compare(network, path)


def save_onnx(
    network: nn.Module,
    example: tuple[Tensor, ...],
    path: Path,
    *,
    names: tuple[list[str], list[str]],
    free: tuple[dict[int, str], ...],
    metadata: Mapping[str, str],
) -> None:
    """Writes any network as one ONNX file.

    Args:
        network: in evaluation mode, on the CPU.
        example: example inputs.
        path: path of the ONNX file.
        names: names of the inputs and of the outputs.
        free: for each input, the axes of any length, with a name for each.
        metadata: metadata of the ONNX file.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # deprecations inside the exporter
        program = torch.onnx.export(
            network,
            example,
            input_names=names[0],
            output_names=names[1],
            dynamic_shapes=free,
            opset_version=OPSET,
            dynamo=True,
            verbose=False,
        )
    assert program is not None
    program.model.metadata_props.update(metadata)
    program.save(str(path), external_data=False)


def _compare(network: Ecm, path: Path) -> None:
    """Compares both on a padded batch of random videos, at each of the scales."""
    engine = OnnxEngine(path.read_bytes(), EngineConfig(device="cpu"))
    rng = np.random.default_rng(0)
    features_BTD = rng.standard_normal((2, 37, engine.spec.feature_dim), dtype=np.float32)
    lengths_B = np.array([37, 11])
    tolerance = HALF_TOLERANCE if engine.spec.precision == "float16" else TOLERANCE
    for scale in _SCALES:
        scaled_BTD = features_BTD * np.float32(scale)
        got_BTC = engine.cas_batch(scaled_BTD, lengths_B)
        with torch.inference_mode():
            expected_BTC = network(torch.from_numpy(scaled_BTD), torch.from_numpy(lengths_B))
        check_equal(got_BTC, expected_BTC.numpy(), path, tolerance)


def check_equal(
    got: NDArray[np.float32],
    expected: NDArray[np.float32],
    path: Path,
    tolerance: float = TOLERANCE,
) -> None:
    """Checks an output of onnxruntime against that of torch.

    Raises:
        ModelError: they differ by more than the tolerance, or the output is not finite.
    """
    if not np.isfinite(got).all():
        raise ModelError(f"{path}: the network overflows; export it in float32")
    difference = float(np.abs(got - expected).max())
    if not difference <= tolerance * max(1.0, float(np.abs(expected).max())):
        raise ModelError(f"{path}: onnxruntime and torch differ by {difference:.2g}")
