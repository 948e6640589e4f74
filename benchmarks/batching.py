"""Videos a second of a network, one at a time and in batches, from ordinary and page-locked memory.

    python benchmarks/batching.py                          (on a CUDA GPU, where there is one)
    python benchmarks/batching.py --device cpu --batch 4

Videos are copied to that memory first, as the service does with those of a batch, and that counts.
All forms run in turn, several times; medians. Page-locked memory is left out where CUDA gives none.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.engine import EngineConfig, OnnxEngine
from model.export import write_onnx
from model.network import Ecm, EcmConfig
from model.spec import ModelSpec
from service.models.page_locked import page_locked

CHANNELS, CLASSES, SNIPPETS = 2048, 20, 750


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["auto", "cuda", "cpu"], default="auto")
    parser.add_argument("--batch", type=int, default=16, help="videos that are run together")
    parser.add_argument("--hidden-width", type=int, default=2048, help="of the network")
    parser.add_argument("--repeats", type=int, default=7, help="timed turns; the median counts")
    arguments = parser.parse_args()
    engine = random_engine(arguments.hidden_width, EngineConfig(arguments.device))
    rng = np.random.default_rng(0)
    videos = [rng.standard_normal((SNIPPETS, CHANNELS), np.float32) for _ in range(arguments.batch)]
    forms = {
        f"{size} at a time, {kind} memory": (memory.reshape(size, SNIPPETS, CHANNELS), videos)
        for size in dict.fromkeys((1, arguments.batch))
        for kind, memory in memories(size * SNIPPETS * CHANNELS).items()
    }
    for form in forms.values():
        run(engine, *form)
    times_s: dict[str, list[float]] = {name: [] for name in forms}
    for _ in range(arguments.repeats):
        for name, form in forms.items():
            times_s[name].append(seconds(lambda form=form: run(engine, *form)))
    print(f"{engine.device}, {SNIPPETS} snippets of {CHANNELS}, {arguments.hidden_width} wide")
    first_s = np.median(next(iter(times_s.values())))
    for name, all_s in times_s.items():
        median_s = np.median(all_s)
        print(f"{name:36} {len(videos) / median_s:8.1f} videos/s {first_s / median_s:6.2f} x")


def random_engine(hidden_width: int, config: EngineConfig) -> OnnxEngine:
    """Returns a network that has learned nothing, which takes as long as any."""
    labels = tuple(f"class {number}" for number in range(CLASSES))
    spec = ModelSpec(labels, CHANNELS, SNIPPETS, topk_ratio=0.125)
    network = Ecm(EcmConfig(CHANNELS, CLASSES, hidden_width)).eval()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        write_onnx(network, spec, path)
        return OnnxEngine(path.read_bytes(), config)


def memories(floats: int) -> dict[str, NDArray[np.float32]]:
    """Returns memory of each kind that there is."""
    found = {"ordinary": np.zeros(floats, np.float32)}
    locked = page_locked(found["ordinary"].nbytes)
    if locked is not None:
        found["page-locked"] = np.frombuffer(locked, np.float32)
    return found


def run(
    engine: OnnxEngine, features_BTD: NDArray[np.float32], videos: list[NDArray[np.float32]]
) -> None:
    """Runs all videos, so many at a time as the memory has room for."""
    size = len(features_BTD)
    lengths_B = np.full(size, SNIPPETS)
    for first in range(0, len(videos), size):
        for place_TD, features_TD in zip(features_BTD, videos[first : first + size], strict=True):
            place_TD[:] = features_TD
        engine.cas_batch(features_BTD, lengths_B)


def seconds(work: Callable[[], None]) -> float:
    """Returns how long something takes."""
    start_s = time.perf_counter()
    work()
    return time.perf_counter() - start_s


if __name__ == "__main__":
    main()
