"""Time of the exported network: as sequences, as images, and in int8.

    python benchmarks/network.py
    python benchmarks/network.py --hidden-width 512 2048 --threads 2 --repeats 5

`write_onnx` turns the sequences of a network into images one pixel high (model/export.py), and
`ecm export --int8` writes integer matrix products (model/int8.py). `quantizer` is the same network
through onnxruntime's own static quantization. `products` is the arithmetic of both convolutions
alone, as two float32 matrix products of torch: the peak that `images` can be compared with. All
take turns; times are medians.
"""

import argparse
import logging
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import torch
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static
from record import Record, add_json_option
from timing import medians_s
from torch import Tensor
from torch.nn import functional

from model.export import AsImages, save_onnx
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, open_session
from model.int8 import Int8Network, measure_ranges
from model.network import Ecm, EcmConfig
from model.spec import ModelSpec

CHANNELS, CLASSES = 2048, 20
FORMS = ("sequences", "images", "quantizer", "int8")


class AsProducts(torch.nn.Module):
    """A network whose convolutions are products of three joined shifts, for the quantizer."""

    def __init__(self, network: Ecm) -> None:
        super().__init__()
        convolutions = (network.classifier.conv_1, network.classifier.conv_2)
        self.weights = torch.nn.ParameterList(
            conv.weight.data.permute(2, 1, 0).flatten(0, 1).contiguous() for conv in convolutions
        )
        self.biases = torch.nn.ParameterList(conv.bias.data for conv in convolutions)
        self.last = torch.nn.Parameter(network.classifier.conv_3.weight.data[:, :, 0].mT)

    def forward(self, values_BTI: Tensor, _: Tensor) -> Tensor:
        """Returns the logits, (B, T, C), of videos without padding."""
        for weight_YH, bias_H in zip(self.weights, self.biases, strict=True):
            padded_BTI = functional.pad(values_BTI, (0, 0, 1, 1))
            joined_BTY = torch.cat([padded_BTI[:, :-2], values_BTI, padded_BTI[:, 2:]], dim=2)
            values_BTI = functional.leaky_relu(joined_BTY @ weight_YH + bias_H, 0.01)
        return values_BTI @ self.last


class Calibration(CalibrationDataReader):
    """Random features for the quantizer of onnxruntime."""

    def __init__(self, videos) -> None:
        self._inputs = iter(
            [{FEATURES: video[None], LENGTHS: np.array([len(video)])} for video in videos]
        )

    def get_next(self):
        """Returns the inputs of the next video, or None."""
        return next(self._inputs, None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--hidden-width", type=int, nargs="+", default=[512], help="hidden widths of the networks"
    )
    parser.add_argument("--threads", type=int, default=1, help="threads of one run")
    parser.add_argument(
        "--repeats", type=int, default=11, help="timed runs, of which the median counts"
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    logging.disable(logging.WARNING)
    onnxruntime.set_default_logger_severity(3)
    torch.set_num_threads(arguments.threads)
    record = Record("The exported network", ["images", "quantizer", "products"])
    for width in arguments.hidden_width:
        measure(record, width, arguments.threads, arguments.repeats)
    record.finish(arguments.json)


def measure(record: Record, width: int, threads: int, repeats: int) -> None:
    """Adds the times of the forms of one network, for three lengths of a video."""
    network = Ecm(EcmConfig(CHANNELS, CLASSES, width)).eval()
    config = EngineConfig("cpu", threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        files = written(network, Path(folder))
        sessions = {name: open_session(files[name].read_bytes(), config) for name in FORMS}
    for snippets in (100, 750, 4000):
        inputs = {FEATURES: features(snippets)[None], LENGTHS: np.array([snippets])}
        runs = {name: partial(session.run, [CAS], inputs) for name, session in sessions.items()}
        runs["products"] = products(width, snippets)
        case = f"width {width}, {snippets} snippets, {threads} thread{'s' * (threads > 1)}"
        for form, time_s in medians_s(runs, repeats).items():
            record.add(case, form, {"ms": 1e3 * time_s})


def products(width: int, snippets: int) -> Callable[[], object]:
    """Returns the matrix products of both convolutions with random values."""
    inputs = [torch.rand(snippets, 3 * channels) for channels in (CHANNELS, width)]
    weights = [torch.rand(3 * channels, width) for channels in (CHANNELS, width)]
    output_TH = torch.empty(snippets, width)

    def multiply() -> None:
        for values_TY, weight_YH in zip(inputs, weights, strict=True):
            torch.mm(values_TY, weight_YH, out=output_TH)

    return multiply


def features(snippets: int, seed: int = 0) -> np.ndarray:
    """Returns features of which half are 0, as behind a ReLU."""
    values_TD = np.random.default_rng(seed).standard_normal((snippets, CHANNELS), np.float32)
    return np.maximum(values_TD, 0)


def written(network: Ecm, folder: Path) -> dict[str, Path]:
    """Returns the ONNX file of each form of a network."""
    paths = {name: folder / f"{name}.onnx" for name in (*FORMS, "products")}
    videos = [features(400, seed) for seed in range(1, 4)]
    forms = {"sequences": network, "images": AsImages(network), "products": AsProducts(network)}
    for name, form in forms.items():
        save_onnx(
            form.eval(),
            (torch.zeros(2, 8, CHANNELS), torch.tensor([8, 5])),
            paths[name],
            names=([FEATURES, LENGTHS], [CAS]),
            free=({0: "batch", 1: "snippets"}, {0: "batch"}),
            metadata={},
        )
    products = [node.name for node in onnx.load(paths["products"]).graph.node
                if node.op_type == "MatMul"]  # fmt: skip
    quantize_static(
        paths["products"], paths["quantizer"], Calibration(videos), quant_format=QuantFormat.QDQ,
        activation_type=QuantType.QUInt8, weight_type=QuantType.QInt8, per_channel=True,
        op_types_to_quantize=["MatMul"], nodes_to_exclude=products[-1:],
    )  # fmt: skip
    spec = ModelSpec(tuple(map(str, range(CLASSES))), CHANNELS, 750, 0.125, precision="int8")
    Int8Network.of(network, measure_ranges(network, videos)).write(spec, paths["int8"])
    return paths


if __name__ == "__main__":
    main()
