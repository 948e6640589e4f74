"""From a network in torch to one ONNX file with its spec inside."""

import copy
import logging
import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine
from model.errors import ModelError
from model.network import Ecm, valid_snippets
from model.spec import METADATA_KEY, ModelSpec

OPSET = 18
TOLERANCE = 1e-4
"""Largest difference between torch and onnxruntime that an export may show, relative to the
largest value."""
HALF_TOLERANCE = 4 * 2**-11
"""The same of a network in float16, which rounds by 2^-11, against torch in float32. Networks of 16
to 2,048 channels, trained ones too, were off by 1.6 times 2^-11 at most."""

_SCALES = (1, 100)
"""Factors on the features that an export is tried with: a float16 ends at 65,504."""


class OnPictures(nn.Module):
    """A network's forward on features that lie as pictures one pixel high.

    It computes the same. onnxruntime lays the channels of pictures out for the vectors of a CPU,
    those of sequences it does not, which takes it a quarter longer.
    """

    def __init__(self, network: Ecm) -> None:
        super().__init__()
        network = copy.deepcopy(network)
        self.standardize, self.classifier = network.standardize, network.classifier
        for name in ("conv_1", "conv_2", "conv_3"):
            setattr(self.classifier, name, _on_pictures(getattr(self.classifier, name)))

    def forward(self, features_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Returns what the network does."""
        features_BD1T = self.standardize(features_BTD).transpose(1, 2)[:, :, None]
        valid_B11T = valid_snippets(features_BTD, lengths_B)[:, :, None]
        cas_BC1T: Tensor = self.classifier(features_BD1T, valid_B11T) * valid_B11T
        return cas_BC1T[:, :, 0].transpose(1, 2)


def _on_pictures(conv: nn.Conv1d) -> nn.Conv2d:
    (width,), has_bias = conv.kernel_size, conv.bias is not None
    picture = nn.Conv2d(
        conv.in_channels, conv.out_channels, (1, width), padding="same", bias=has_bias
    )
    picture.load_state_dict({**conv.state_dict(), "weight": conv.weight.data[:, :, None]})
    return picture


class InHalf(nn.Module):
    """A network that computes in float16 between borders of float32.

    Standardization stays outside: it is there because raw features may have any scale.
    """

    def __init__(self, network: OnPictures) -> None:
        super().__init__()
        network = copy.deepcopy(network)
        self.standardize = network.standardize
        network.standardize = nn.Identity()
        self.network = network.half()

    def forward(self, features_BTD: Tensor, lengths_B: Tensor) -> Tensor:
        """Returns what the network does."""
        cas_BTC: Tensor = self.network(self.standardize(features_BTD).half(), lengths_B)
        return cas_BTC.float()


def write_onnx(network: Ecm, spec: ModelSpec, path: Path) -> None:
    """Writes the network's forward, features and lengths to CAS, and checks it in onnxruntime.

    Batch and snippets stay free. The precision is the one that the spec tells.

    Raises:
        ModelError: onnxruntime computes something else than torch, or overflows.
    """
    network = network.cpu().eval()
    pictures = OnPictures(network)
    save_onnx(
        InHalf(pictures) if spec.precision == "float16" else pictures,
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
    """Writes any network's forward as one ONNX file.

    Args:
        network: in evaluation mode, on the CPU.
        example: its inputs.
        path: of the file.
        names: of its inputs and outputs.
        free: the axes of each input that may have any length, with a name each.
        metadata: what the file is to hold beside the network.
    """
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
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
    """Runs a padded batch of random videos through both, and the same on a larger scale."""
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
    """Holds what onnxruntime gives against what torch does.

    Raises:
        ModelError: they differ by more than the tolerance, or what onnxruntime gives is not finite.
    """
    if not np.isfinite(got).all():
        raise ModelError(f"{path}: the network overflows; export it in float32")
    difference = float(np.abs(got - expected).max())
    if not difference <= tolerance * max(1.0, float(np.abs(expected).max())):
        raise ModelError(f"{path}: onnxruntime and torch differ by {difference:.2g}")
