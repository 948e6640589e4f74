"""CPU time of the exported network, and how much less than with its sequences as sequences.

    python benchmarks/network.py
    python benchmarks/network.py --hidden-width 2048 --repeats 5

`write_onnx` writes a network's sequences as pictures one pixel high (model/export.py). Beside that
form stands the same network written as it is. Both run in turn, on one thread; medians.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from model.engine import CAS, FEATURES, LENGTHS, EngineConfig, open_session
from model.export import AsImages, save_onnx
from model.network import Ecm, EcmConfig

CHANNELS, CLASSES = 2048, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden-width", type=int, default=512, help="of the network")
    parser.add_argument("--repeats", type=int, default=11, help="timed runs; the median counts")
    arguments = parser.parse_args()
    network = Ecm(EcmConfig(CHANNELS, CLASSES, arguments.hidden_width)).eval()
    sessions = [opened(form) for form in (network, AsImages(network).eval())]
    print(f"{'snippets':>8} {'sequences ms':>12} {'pictures ms':>12} {'times as fast':>13}")
    for snippets in (100, 750, 4000):
        features_BTD = np.random.default_rng(0).standard_normal((1, snippets, CHANNELS), np.float32)
        inputs = {FEATURES: features_BTD, LENGTHS: np.array([snippets])}
        times_ms = np.array([[cpu_ms(session, inputs) for session in sessions]
                             for _ in range(arguments.repeats)])  # fmt: skip
        sequences_ms, pictures_ms = np.median(times_ms, axis=0)
        ratio = sequences_ms / pictures_ms
        print(f"{snippets:8} {sequences_ms:12.1f} {pictures_ms:12.1f} {ratio:13.2f}")


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


def cpu_ms(session, inputs: dict[str, np.ndarray]) -> float:
    """Returns the CPU time of one run: other work on the machine counts less in it."""
    start_s = time.process_time()
    session.run([CAS], inputs)
    return 1e3 * (time.process_time() - start_s)


if __name__ == "__main__":
    main()
