"""Runs per second of the bare network, which no server can exceed.

    python ceiling.py FOLDER SECONDS CORES

The features are in memory; nothing is received, checked, localized or written. There are two forms:
one caller whose runs have one thread for each core, and one caller for each core whose runs have
one thread.
"""

import json
import sys
import threading
import time
from pathlib import Path

import numpy as np

from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, open_session


def main() -> None:
    folder, seconds, cores = Path(sys.argv[1]), float(sys.argv[2]), int(sys.argv[3])
    content = (folder / "network.onnx").read_bytes()
    features_TD = np.load(folder / "features.npy")
    forms = {
        f"1 caller x {cores} threads": (1, cores),
        f"{cores} callers x 1 thread": (cores, 1),
    }
    print(json.dumps({name: runs_a_second(content, features_TD, *form, seconds)
                      for name, form in forms.items()}))  # fmt: skip


def runs_a_second(
    content: bytes, features_TD: np.ndarray, callers: int, threads: int, seconds: float
) -> float:
    session = open_session(content, EngineConfig(device="cpu", threads=threads))
    inputs = {FEATURES: features_TD[None], LENGTHS: np.array([len(features_TD)])}
    session.run([CAS], inputs)
    ends_s: list[float] = []
    start_s = time.perf_counter()

    def call() -> None:
        while time.perf_counter() < start_s + seconds:
            session.run([CAS], inputs)
            ends_s.append(time.perf_counter())

    workers = [threading.Thread(target=call) for _ in range(callers)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return len(ends_s) / (max(ends_s) - start_s)


if __name__ == "__main__":
    main()
