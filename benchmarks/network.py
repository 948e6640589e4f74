"""CPU time of the exported network, with sequences as images and as sequences.

    python benchmarks/network.py
    python benchmarks/network.py --hidden-width 2048 --repeats 5

`write_onnx` turns the sequences of a network into images one pixel high (model/export.py). The
other form is the same network without this change. Both take turns on one thread; times are
medians.
"""

import argparse
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
from timing import medians_s

from model.export import AsImages, save_onnx
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, open_session
from model.network import Ecm, EcmConfig

CHANNELS, CLASSES = 2048, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden-width", type=int, default=512, help="hidden width of the network")
    parser.add_argument(
        "--repeats", type=int, default=11, help="timed runs, of which the median counts"
    )
    arguments = parser.parse_args()
    network = Ecm(EcmConfig(CHANNELS, CLASSES, arguments.hidden_width)).eval()
    sessions = {"sequences": opened(network), "images": opened(AsImages(network).eval())}
    print(f"{'snippets':>8} {'sequences ms':>12} {'images ms':>12} {'times as fast':>13}")
    for snippets in (100, 750, 4000):
        features_BTD = np.random.default_rng(0).standard_normal((1, snippets, CHANNELS), np.float32)
        inputs = {FEATURES: features_BTD, LENGTHS: np.array([snippets])}
        runs = {name: partial(session.run, [CAS], inputs) for name, session in sessions.items()}
        times_s = medians_s(runs, arguments.repeats, clock=time.process_time)
        sequences_ms, images_ms = 1e3 * times_s["sequences"], 1e3 * times_s["images"]
        ratio = sequences_ms / images_ms
        print(f"{snippets:8} {sequences_ms:12.1f} {images_ms:12.1f} {ratio:13.2f}")


def opened(network: torch.nn.Module):
    """Returns an onnxruntime session of one thread."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.onnx"
        save_onnx(
            network,
            (torch.zeros(2, 8, CHANNELS), torch.tensor([8, 5])),
            path,
            names=([FEATURES, LENGTHS], [CAS]),
            free=({0: "batch", 1: "snippets"}, {0: "batch"}),
            metadata={},
        )
        return open_session(path.read_bytes(), EngineConfig("cpu", threads=1))


if __name__ == "__main__":
    main()
