"""Writes the input of all servers: a model repository, the features of a video, and its segments.

    python prepare.py FOLDER HIDDEN_WIDTH fp32|int8

`network.onnx` is the network in that precision, for the bare network and the peers. The network is
untrained; its last layer is scaled so that some of the 20 classes are present. The
features are noise that is smoothed over time. This is a process of its own, so that the measuring
process does not have torch in memory.
"""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from model.export import write_onnx
from model.inference.engine import EngineConfig, OnnxEngine
from model.int8 import Int8Network, measure_ranges
from model.localization.localize import LocalizationConfig
from model.network import Ecm, EcmConfig
from model.predict import predict_video
from model.repository import INT8_FILE, publish
from model.spec import ModelSpec

SNIPPETS, CHANNELS, CLASSES = 750, 2048, 20
SMOOTH_SNIPPETS = 32
SPEC = ModelSpec(
    labels=tuple(f"class_{index}" for index in range(CLASSES)),
    feature_dim=CHANNELS,
    snippets=SNIPPETS,
    topk_ratio=0.125,
    snippet_s=0.64,
    localization=LocalizationConfig(class_threshold=0.1),
)


def main() -> None:
    folder, hidden_width, precision = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    network = untrained(hidden_width)
    features_TD = draw()
    np.save(folder / "features.npy", features_TD)

    def write(path: Path) -> None:
        write_onnx(network, SPEC, path)
        if precision == "int8":
            form = Int8Network.of(network, measure_ranges(network, [features_TD]))
            form.write(replace(SPEC, precision="int8"), path.with_name(INT8_FILE))

    published = publish(folder / "models", "ecm", write, version=1)
    served = published.int8 if precision == "int8" else published
    shutil.copy(served.path, folder / "network.onnx")
    engine = OnnxEngine(served.path.read_bytes(), EngineConfig(device="cpu", threads=1))
    duration_s = SNIPPETS * 0.64
    result = predict_video(engine, features_TD, SPEC, duration_s=duration_s)
    segments = [(s.label, s.start_s, s.end_s) for s in result.segments]
    (folder / "segments.json").write_text(json.dumps(segments))


def untrained(hidden_width: int) -> Ecm:
    """Returns an untrained network whose logits differ enough that some classes are present."""
    torch.manual_seed(0)
    network = Ecm(EcmConfig(CHANNELS, CLASSES, hidden_width)).eval()
    with torch.no_grad():
        network.classifier.conv_3.weight *= 20
    return network


def draw() -> np.ndarray:
    """Returns features (T, D) of unit variance."""
    noise_TD = np.random.default_rng(0).standard_normal((SNIPPETS, CHANNELS))
    window = np.hanning(SMOOTH_SNIPPETS + 2)[1:-1]
    window /= np.sqrt((window**2).sum())
    smooth_TD = np.apply_along_axis(lambda row: np.convolve(row, window, "same"), 0, noise_TD)
    return np.ascontiguousarray(smooth_TD, dtype=np.float32)


if __name__ == "__main__":
    main()
