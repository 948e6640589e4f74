"""Videos a second, one at a time and in batches, beside the floors of the card.

Videos are copied to the memory of the batch first, as the service does, and that counts.

Axes: B videos, T snippets, D feature channels.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gpu_parts import models
from gpu_parts.bench import Bench
from gpu_parts.card import Form, forms, measured_floors, median_s, network_flop
from model.inference.engine import OnnxEngine
from service.models.page_locked import page_locked


def run(bench: Bench) -> None:
    """Runs the part."""
    for form in forms(bench.device):
        bench.step(f"batches in {form}", rates, form)


def rates(bench: Bench, form: Form) -> None:
    """Reports the rate of each size of batch from each kind of memory, and what limits it."""
    sizes = bench.sizes
    shape = max(sizes.batches), sizes.snippets, sizes.feature_dim
    videos_BTD = models.random_features(*shape)
    engine = models.open_model(bench, form)
    best = 0.0
    for kind, memory in memories(videos_BTD.size):
        for size in sizes.batches:
            rate = videos_per_s(bench, engine, memory, videos_BTD, size)
            bench.figure(f"{form}, {kind} memory, {size} at a time", rate, "videos/s")
            best = max(best, rate)
    report_limit(bench, form, best)


def videos_per_s(
    bench: Bench,
    engine: OnnxEngine,
    memory: NDArray[np.float32],
    videos_BTD: NDArray[np.float32],
    size: int,
) -> float:
    """Returns the rate at which a network computes all videos in batches of `size`."""
    videos, snippets, channels = videos_BTD.shape
    batch_BTD = memory[: size * snippets * channels].reshape(size, snippets, channels)
    lengths_B = np.full(size, snippets)

    def run_all() -> None:
        for first in range(0, videos, size):
            batch_BTD[:] = videos_BTD[first : first + size]
            engine.cas_batch(batch_BTD, lengths_B)

    return videos / median_s(run_all, bench.device, bench.sizes.turns)


def memories(floats: int) -> Iterator[tuple[str, NDArray[np.float32]]]:
    """Yields memory of each kind that there is."""
    ordinary = np.zeros(floats, np.float32)
    yield "ordinary", ordinary
    locked = page_locked(ordinary.nbytes)
    if locked is not None:
        yield "page-locked", np.frombuffer(locked, np.float32)


def report_limit(bench: Bench, form: Form, best: float) -> None:
    """Names which of arithmetic and copying limits the network, and the share of it reached."""
    sizes = bench.sizes
    floors = measured_floors(
        bench.device,
        form,
        matrix_side=sizes.matrix_side,
        copied_bytes=sizes.copied_bytes,
        turns=sizes.turns,
    )
    bench.figure(f"{form}, product of matrices", floors.flop_per_s / 1e12, "TFLOP/s")
    bench.figure(f"{form}, copy to the device", floors.bytes_per_s / 1e9, "GB/s")
    flop = network_flop(sizes.snippets, sizes.feature_dim, sizes.hidden_width, sizes.classes)
    copied_bytes = 4 * sizes.snippets * sizes.feature_dim  # float32 in any form
    by_arithmetic, by_copying = floors.videos_per_s(flop, copied_bytes)
    bench.figure(f"{form}, most by arithmetic", by_arithmetic, "videos/s")
    bench.figure(f"{form}, most by copying", by_copying, "videos/s")
    limit = min(by_arithmetic, by_copying)
    name = "arithmetic" if limit == by_arithmetic else "copying"
    bench.note(f"{form}, limit", f"{name}; the best batch reaches {best / limit:.0%} of it")
