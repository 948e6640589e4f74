"""Failures: no memory left for a request, and a GPU that is required and absent."""

import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import torch

from gpu_parts import models
from gpu_parts.bench import Bench
from gpu_parts.service import ask, started
from reliability.server import Target

_CHANNELS, _CLASSES = 8, 3
"""Few, so that a small body has large activations: 100,000 snippets take 3 MB as a body and 0.8 GB
after each layer of 2,048 channels."""
_SHORT_SNIPPETS = 64
_SENTENCE = "CUDA was requested, but onnxruntime"
_START_S = 90


def run(bench: Bench) -> None:
    """Runs the part."""
    bench.steps(out_of_memory_is_told, absent_cuda_is_told)


def out_of_memory_is_told(bench: Bench) -> None:
    """Leaves the service little memory and sends what does not fit; then gives the memory back."""
    folder = _repository(bench).parent
    long_TD = models.random_features(bench.sizes.long_snippets, _CHANNELS)
    short_TD = long_TD[:_SHORT_SNIPPETS]
    # Small batches keep what the service has taken already too small for the long video.
    flags = {"max_batch": 2, "max_snippets": len(long_TD)}
    with started(bench.device, folder / "models", folder, **flags) as target:
        before = ask(target, short_TD)
        bench.equal("status of a short video", before.status, 200)
        with _little_memory(bench, target):
            refused = ask(target, long_TD)
            bench.expect("a video that does not fit gets 503 out-of-memory",
                         (refused.status, refused.type) == (503, "urn:ecm-localizer:out-of-memory"),
                         f"{refused.status} {refused.type}")  # fmt: skip
            during = ask(target, short_TD)
            bench.equal("status of a short video then", during.status, 200)
            bench.expect("its segments are the same", during.segments == before.segments)
            _expect_health(bench, target)
        bench.equal("status of the long video with memory", ask(target, long_TD).status, 200)


def _repository(bench: Bench) -> Path:
    """Returns a repository with a network of few channels, written at the first call."""
    folder = bench.scratch / "failure" / "models"
    if not folder.exists():
        network = models.random_network(_CHANNELS, _CLASSES, bench.sizes.long_hidden_width)
        models.write_model(folder, network, _SHORT_SNIPPETS, exported_by=models.trace)
    return folder


def _expect_health(bench: Bench, target: Target) -> None:
    ready = httpx.get(f"{target.url}/health/ready", timeout=30)
    bench.equal("status of /health/ready then", ready.status_code, 200)


@contextmanager
def _little_memory(bench: Bench, target: Target) -> Iterator[None]:
    """Leaves about `spare_bytes` to the service meanwhile: on the card, or of addresses."""
    if bench.device == "cuda":
        taken = _rest_of_the_card(bench.sizes.spare_bytes)
        bench.figure("memory left on the card", torch.cuda.mem_get_info()[0] / 2**20, "MiB")
        try:
            yield
        finally:
            taken.clear()
            torch.cuda.empty_cache()
        return
    pages = int((Path("/proc") / str(target.pid) / "statm").read_text().split()[0])
    limit_bytes = pages * resource.getpagesize() + bench.sizes.spare_bytes
    _, hard = resource.prlimit(target.pid, resource.RLIMIT_AS)
    resource.prlimit(target.pid, resource.RLIMIT_AS, (limit_bytes, hard))
    try:
        yield
    finally:
        resource.prlimit(target.pid, resource.RLIMIT_AS, (hard, hard))


def _rest_of_the_card(spare_bytes: int) -> list[torch.Tensor]:
    """Returns memory that fills the card but for the spare bytes, in ever smaller pieces."""
    taken: list[torch.Tensor] = []
    piece_bytes = torch.cuda.mem_get_info()[0]
    while piece_bytes >= 2**25:
        free_bytes = torch.cuda.mem_get_info()[0] - spare_bytes
        piece_bytes = min(piece_bytes, free_bytes // 2**21 * 2**21)
        try:
            if piece_bytes > 0:
                taken.append(torch.empty(piece_bytes, dtype=torch.uint8, device="cuda"))
        except torch.cuda.OutOfMemoryError:
            piece_bytes //= 2
    return taken


def absent_cuda_is_told(bench: Bench) -> None:
    """Starts the service with CUDA required and every GPU hidden; it ends with the sentence."""
    command = [sys.executable, "-m", "service", "serve", "--require-cuda", "true", "--port", "0"]
    folders = ["--repository", str(_repository(bench)), "--data", str(bench.scratch / "hidden")]
    hidden = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
    ended = subprocess.run(
        [*command, *folders],
        env=hidden,
        capture_output=True,
        text=True,
        timeout=_START_S,
        check=False,
    )
    bench.equal("exit status of a start without its GPU", ended.returncode, 1)
    last = ended.stderr.strip().splitlines()[-1:] or ["nothing"]
    bench.expect("the message names CUDA as the cause", _SENTENCE in ended.stderr, last[0])
    bench.expect("without a traceback", "Traceback" not in ended.stderr)
