"""Int8 form of a network for CPUs: both hidden convolutions in 8-bit integers.

A convolution is one matrix product: each snippet beside its two neighbours, (T, 3I), times the
taps, (3I, H). Activations are unsigned with one scale, weights are signed with one scale for each
output channel, and sums are 32-bit integers. Standardization and the last layer stay in float32.

The graph is written here, operator by operator. The quantizer of onnxruntime would quantize the
neighbours three times and each sum once more, which takes twice as long.

Axes: B videos, T snippets, D feature channels, I input channels, H output channels, J = 3 taps,
C classes, Y = J * I rows of a matrix of taps.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from model.errors import DataError
from model.inference.engine import CAS, FEATURES, LENGTHS
from model.inference.proof import Proof
from model.network import Ecm, Standardization
from model.spec import METADATA_KEY, ModelSpec

OPSET: Final = 18
IR_VERSION: Final = 9
_CONTRIB: Final = "com.microsoft"
_SLOPE: Final = 0.01
"""Slope of LeakyReLU below 0."""
FULL_WEIGHT, SAFE_WEIGHT = 127, 63
"""Largest weight. A CPU without VNNI adds two products in 16 bits: 2 * 255 * 127 = 64,770 does not
fit, 2 * 255 * 63 = 32,130 does."""
_PROOF_SNIPPETS: Final = 24


@dataclass(frozen=True, slots=True)
class Range:
    """Range of the values that are to be quantized; it contains 0."""

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        """Step from one integer to the next."""
        return np.float32(max(self.high - self.low, 1e-12) / 255)

    @property
    def zero(self) -> np.uint8:
        """Integer that stands for 0."""
        return np.uint8(round(float(-self.low / self.scale)))


@dataclass(frozen=True, slots=True)
class Int8Convolution:
    """A convolution of width 3 with integer weights."""

    weight_YH: NDArray[np.int8]
    """Taps: for each output channel the inputs one snippet before, at, and after it."""
    scale_H: NDArray[np.float32]
    """Value of weight 1 of each output channel."""
    bias_H: NDArray[np.float32]
    inputs: Range
    """Range of the inputs; values outside are cut off."""

    @classmethod
    def of(cls, conv: torch.nn.Conv1d, inputs: Range, largest: int) -> "Int8Convolution":
        """Returns a convolution with its weights rounded.

        Weights 0.5, -1.0, 0.25 of one output channel become 64, -127, 32 with scale 1/127.
        """
        weight_HIJ = conv.weight.detach().numpy()
        weight_YH = weight_HIJ.transpose(2, 1, 0).reshape(-1, len(weight_HIJ))
        scale_H = np.maximum(np.abs(weight_YH).max(axis=0), 1e-12) / largest
        rounded_YH = np.round(weight_YH / scale_H).astype(np.int8)
        assert conv.bias is not None
        return cls(rounded_YH, scale_H.astype(np.float32), conv.bias.detach().numpy(), inputs)

    def __call__(self, values_TI: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the output, (T, H), with exact integer sums; the definition of the graph."""
        scale, zero = self.inputs.scale, int(self.inputs.zero)
        integers_TI = np.clip(np.round(values_TI / scale) + zero, 0, 255)
        padded_TI = np.pad(integers_TI, ((1, 1), (0, 0)), constant_values=zero)
        joined_TY = np.concatenate([padded_TI[:-2], integers_TI, padded_TI[2:]], axis=1)
        sums_TH = (joined_TY - zero) @ self.weight_YH.astype(np.float64)
        return (sums_TH * (scale * self.scale_H) + self.bias_H).astype(np.float32)


@dataclass(frozen=True, slots=True)
class Int8Network:
    """The classifier with its hidden convolutions in integers."""

    mean_D: NDArray[np.float32] | None
    """Mean of each feature channel; None if the network does not standardize."""
    deviation_D: NDArray[np.float32] | None
    """Standard deviation of each feature channel."""
    convolutions: tuple[Int8Convolution, Int8Convolution]
    last_HC: NDArray[np.float32]
    """Weights of the last layer."""

    @classmethod
    def of(
        cls, network: Ecm, ranges: tuple[Range, Range], largest: int = FULL_WEIGHT
    ) -> "Int8Network":
        """Returns the int8 form of a network.

        Args:
            network: on the CPU, in evaluation mode.
            ranges: of the inputs of both convolutions; see `measure_ranges`.
            largest: largest weight, `FULL_WEIGHT` or `SAFE_WEIGHT`.
        """
        classifier, mean_D, deviation_D = network.classifier, None, None
        if isinstance(network.standardize, Standardization):
            mean_D = network.standardize.mean_D.numpy()
            deviation_D = network.standardize.deviation_D.numpy()
        first = Int8Convolution.of(classifier.conv_1, ranges[0], largest)
        second = Int8Convolution.of(classifier.conv_2, ranges[1], largest)
        last_HC = classifier.conv_3.weight.detach().numpy()[:, :, 0].T
        return cls(mean_D, deviation_D, (first, second), np.ascontiguousarray(last_HC))

    def cas(self, features_TD: NDArray[np.float32]) -> NDArray[np.float32]:
        """Returns the class activation sequence, logits (T, C), without onnxruntime."""
        values_TI = features_TD
        if self.mean_D is not None and self.deviation_D is not None:
            values_TI = (values_TI - self.mean_D) / self.deviation_D
        for convolution in self.convolutions:
            values_TI = convolution(values_TI)
            values_TI = np.maximum(values_TI, np.float32(_SLOPE) * values_TI)
        return values_TI @ self.last_HC

    def proof(self) -> Proof:
        """Returns features of extreme values with their logits, by which a CPU is tested."""
        low, high = self.convolutions[0].inputs.low, self.convolutions[0].inputs.high
        channels = len(self.convolutions[0].weight_YH) // 3
        is_high_TD = np.random.default_rng(0).random((_PROOF_SNIPPETS, channels)) < 0.5
        values_TD = np.where(is_high_TD, high, low).astype(np.float32)
        if self.mean_D is not None and self.deviation_D is not None:
            values_TD = values_TD * self.deviation_D + self.mean_D
        return Proof(values_TD, self.cas(values_TD))

    def write(self, spec: ModelSpec, path: Path) -> None:
        """Writes the network as one ONNX file with the inputs and the output of `write_onnx`."""
        model = helper.make_model(
            _graph(self),
            opset_imports=[helper.make_opsetid("", OPSET), helper.make_opsetid(_CONTRIB, 1)],
            ir_version=IR_VERSION,
        )
        metadata = {METADATA_KEY: spec.to_json()} | self.proof().metadata()
        helper.set_model_props(model, metadata)
        onnx.save(model, path)


def measure_ranges(network: Ecm, videos: Iterable[NDArray[np.float32]]) -> tuple[Range, Range]:
    """Returns the ranges of the inputs of both hidden convolutions over the features of videos.

    Args:
        network: on the CPU, in evaluation mode.
        videos: features of each, (T, D).

    Raises:
        DataError: there is no video.
    """
    extremes: list[list[float]] = []
    with torch.inference_mode():
        for features_TD in videos:
            first_BDT = network.standardize(torch.from_numpy(features_TD)[None]).transpose(1, 2)
            classifier = network.classifier
            second_BHT = classifier.activation(classifier.conv_1(first_BDT))
            extremes.append([float(one) for inputs in (first_BDT, second_BHT)
                             for one in inputs.aminmax()])  # fmt: skip
    if not extremes:
        raise DataError("expected the features of training videos to calibrate int8, got none")
    low_1, _, low_2, _ = np.min([[0.0, 0.0, 0.0, 0.0], *extremes], axis=0)
    _, high_1, _, high_2 = np.max([[0.0, 0.0, 0.0, 0.0], *extremes], axis=0)
    return Range(float(low_1), float(high_1)), Range(float(low_2), float(high_2))


class _Nodes:
    """Nodes and constants of a graph under construction."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Any, dtype: Any = None) -> str:
        """Adds a constant and returns its name."""
        array = np.asarray(value, dtype, order="C")
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, inputs: list[str], name: str, **attributes: Any) -> str:
        """Adds a node and returns the name of its output."""
        domain = _CONTRIB if operator == "MatMulIntegerToFloat" else ""
        node = helper.make_node(operator, inputs, [name], name=name, domain=domain, **attributes)
        self.nodes.append(node)
        return name


def _graph(network: Int8Network) -> onnx.GraphProto:
    channels = len(network.convolutions[0].weight_YH) // 3
    nodes = _Nodes()
    valid_BT1, values_BTI = _valid(nodes), FEATURES
    if network.mean_D is not None:
        mean_D = nodes.constant("mean", network.mean_D)
        deviation_D = nodes.constant("deviation", network.deviation_D)
        centred_BTD = nodes.add("Sub", [FEATURES, mean_D], "centred")
        values_BTI = nodes.add("Div", [centred_BTD, deviation_D], "standardized")
    shifts = {
        "pads": nodes.constant("pads", [0, 1, 0, 0, 1, 0], np.int64),
        "axis": nodes.constant("time_axis", [1], np.int64),
        "first": nodes.constant("first", [0], np.int64),
        "third": nodes.constant("third", [2], np.int64),
        "before_last": nodes.constant("before_last", [-2], np.int64),
        "end": nodes.constant("end", [2**62], np.int64),
    }
    for number, convolution in enumerate(network.convolutions, 1):
        values_BTI = _convolve(nodes, convolution, values_BTI, valid_BT1, number, shifts)
    last_HC = nodes.constant("last_weight", network.last_HC)
    logits_BTC = nodes.add("MatMul", [values_BTI, last_HC], "logits")
    zero = nodes.constant("zero", 0, np.float32)
    nodes.add("Where", [valid_BT1, logits_BTC, zero], CAS)
    float32, axes = TensorProto.FLOAT, ["batch", "snippets"]
    inputs = [
        helper.make_tensor_value_info(FEATURES, float32, [*axes, channels]),
        helper.make_tensor_value_info(LENGTHS, TensorProto.INT64, ["batch"]),
    ]
    output = helper.make_tensor_value_info(CAS, float32, [*axes, network.last_HC.shape[1]])
    return helper.make_graph(nodes.nodes, "ecm", inputs, [output], nodes.constants)


def _valid(nodes: _Nodes) -> str:
    """Adds the mask (B, T, 1) that is true within the length of each video."""
    snippets = nodes.add("Shape", [FEATURES], "snippets_1", start=1, end=2)
    count = nodes.add("Squeeze", [snippets], "snippets_count")
    bounds = [nodes.constant("none", 0, np.int64), count, nodes.constant("one", 1, np.int64)]
    steps_T = nodes.add("Range", bounds, "steps")
    last_axis = nodes.constant("last_axis", [1], np.int64)
    lengths_B1 = nodes.add("Unsqueeze", [LENGTHS, last_axis], "lengths_column")
    valid_BT = nodes.add("Less", [steps_T, lengths_B1], "within")
    return nodes.add("Unsqueeze", [valid_BT, nodes.constant("channel", [2], np.int64)], "valid")


def _convolve(
    nodes: _Nodes,
    convolution: Int8Convolution,
    values_BTI: str,
    valid_BT1: str,
    number: int,
    shifts: Mapping[str, str],
) -> str:
    """Adds a convolution with its activation, and returns the name of its output (B, T, H)."""

    def name(text: str) -> str:
        return f"{text}_{number}"

    scale = nodes.constant(name("input_scale"), convolution.inputs.scale)
    zero = nodes.constant(name("input_zero"), convolution.inputs.zero)
    integers_BTI = nodes.add("QuantizeLinear", [values_BTI, scale, zero], name("integers"))
    integers_BTI = nodes.add("Where", [valid_BT1, integers_BTI, zero], name("masked"))
    padded_BTI = nodes.add("Pad", [integers_BTI, shifts["pads"], zero], name("padded"))
    earlier = [padded_BTI, shifts["first"], shifts["before_last"], shifts["axis"]]
    later = [padded_BTI, shifts["third"], shifts["end"], shifts["axis"]]
    neighbours = [nodes.add("Slice", earlier, name("before")), integers_BTI,
                  nodes.add("Slice", later, name("after"))]  # fmt: skip
    joined_BTY = nodes.add("Concat", neighbours, name("joined"), axis=2)
    operands = [
        joined_BTY,
        nodes.constant(name("weight"), convolution.weight_YH),
        scale,
        nodes.constant(name("weight_scale"), convolution.scale_H),
        zero,
        nodes.constant(name("weight_zero"), np.zeros_like(convolution.scale_H, np.int8)),
        nodes.constant(name("bias"), convolution.bias_H),
    ]
    sums_BTH = nodes.add("MatMulIntegerToFloat", operands, name("sums"))
    return nodes.add("LeakyRelu", [sums_BTH], name("hidden"), alpha=_SLOPE)
