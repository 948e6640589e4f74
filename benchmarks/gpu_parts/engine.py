"""The exported network in onnxruntime: where it runs, what it gives, how soon.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import ctypes
import json
import os
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gpu_parts import models
from gpu_parts.bench import Bench
from gpu_parts.card import Form, forms, used_bytes
from model.export import HALF_TOLERANCE, TOLERANCE
from model.inference.engine import CAS, FEATURES, LENGTHS, EngineConfig, OnnxEngine, open_session
from model.repository import list_models
from service.models.page_locked import page_locked

TOLERANCES: dict[Form, float] = {
    "float32": TOLERANCE,
    "tf32": 8 * 2**-11,
    "float16": HALF_TOLERANCE,
}
"""Largest difference from the CPU's float32, relative to the largest logit of an ordinary video.

TF32 has as many bits as float16. Tensor cores may cut the rest off instead of rounding, which is
twice as far off.
"""

PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}


def run(bench: Bench) -> None:
    """Runs the part."""
    bench.steps(
        nodes_are_where_they_belong,
        logits_equal_those_of_the_cpu,
        padded_batch_equals_single_videos,
        same_answer_every_time,
        page_locked_memory_is_read,
        first_runs_of_new_lengths,
        warmed_lengths,
    )


def nodes_are_where_they_belong(bench: Bench) -> None:
    """Checks that the provider computes everything that has channels."""
    sizes, wanted = bench.sizes, PROVIDERS[bench.device]
    on_cuda = bench.device == "cuda"
    session = open_session(
        models.content(bench),
        EngineConfig(bench.device, require_cuda=on_cuda),
        profile=bench.scratch / "profile",
    )
    bench.expect(f"session has {wanted}", wanted in session.get_providers())
    features_BTD = models.random_features(2, sizes.snippets, sizes.feature_dim)
    session.run([CAS], {FEATURES: features_BTD, LENGTHS: np.array([sizes.snippets, 1])})
    nodes = list(_nodes(Path(session.end_profiling())))
    counts = Counter(provider for provider, _, _ in nodes)
    bench.note("nodes", ", ".join(f"{name} {count}" for name, count in counts.items()))
    largest = 2 * sizes.snippets
    elsewhere = [op for provider, op, numbers in nodes if provider != wanted and numbers > largest]
    small = [op for provider, op, numbers in nodes if provider != wanted and numbers <= largest]
    bench.expect("no node with channels elsewhere", bool(nodes) and not elsewhere, str(elsewhere))
    if small:
        bench.note("arithmetic with shapes elsewhere", ", ".join(sorted(set(small))))


def _nodes(profile: Path) -> Iterator[tuple[str, str, int]]:
    """Yields provider, operator and numbers in the largest output of each node that ran."""
    for event in json.loads(profile.read_text()):
        arguments = event.get("args", {})
        if event.get("cat") == "Node" and arguments.get("provider"):
            shapes = [shape for kind in arguments.get("output_type_shape", [])
                      for shape in kind.values()]  # fmt: skip
            numbers = max((int(np.prod(shape)) for shape in shapes), default=0)
            yield arguments["provider"], arguments["op_name"], numbers


def logits_equal_those_of_the_cpu(bench: Bench) -> None:
    """Compares each arithmetic at each length with float32 on the CPU."""
    reference = models.open_model(bench, "float32", "cpu")
    engines = {form: models.open_model(bench, form) for form in forms(bench.device)}
    if bench.device == "cpu":
        bench.note("tf32, float16", "skipped: a CPU computes float32 whatever it is asked for")
    scale = largest_logit(bench, reference)
    for length in bench.sizes.lengths:
        features_TD = models.random_features(length, bench.sizes.feature_dim)
        expected_TC = reference.cas(features_TD)
        for form, engine in engines.items():
            apart = difference(engine.cas(features_TD), expected_TC) / scale
            bench.at_most(f"logits, {length} snippets, {form}", apart, TOLERANCES[form])


def largest_logit(bench: Bench, engine: OnnxEngine) -> float:
    """Returns the largest logit of an ordinary video, which differences are relative to."""
    features_TD = models.random_features(bench.sizes.snippets, bench.sizes.feature_dim)
    return float(np.abs(engine.cas(features_TD)).max())


def difference(got: NDArray[np.float32], expected: NDArray[np.float32]) -> float:
    """Returns the largest difference."""
    return float(np.abs(got - expected).max())


def padded_batch_equals_single_videos(bench: Bench) -> None:
    """Compares a batch of several lengths with each video alone, and looks at its padding."""
    snippets = bench.sizes.snippets
    lengths_B = np.array([snippets, snippets // 2 + 1, 1])
    features_BTD = models.random_features(len(lengths_B), snippets, bench.sizes.feature_dim)
    for form in forms(bench.device):
        engine = models.open_model(bench, form)
        cas_BTC = engine.cas_batch(features_BTD, lengths_B)
        pairs = list(zip(cas_BTC, features_BTD, lengths_B, strict=True))
        apart = max(difference(cas_TC[:n], engine.cas(features_TD[:n]))
                    for cas_TC, features_TD, n in pairs)  # fmt: skip
        apart /= largest_logit(bench, engine)
        bench.at_most(f"padded batch against single videos, {form}", apart, TOLERANCES[form])
        padding = max((float(np.abs(cas_TC[n:]).max(initial=0)) for cas_TC, _, n in pairs))
        bench.equal(f"logits of the padding, {form}", padding, 0)


def same_answer_every_time(bench: Bench) -> None:
    """Runs one video again and again."""
    features_TD = models.random_features(bench.sizes.snippets, bench.sizes.feature_dim)
    for form in forms(bench.device):
        engine = models.open_model(bench, form)
        first_TC = engine.cas(features_TD)
        others = sum(not np.array_equal(first_TC, engine.cas(features_TD))
                     for _ in range(bench.sizes.same_answers))  # fmt: skip
        bench.equal(f"other answers in {bench.sizes.same_answers} runs, {form}", others, 0)


def page_locked_memory_is_read(bench: Bench) -> None:
    """Checks that CUDA locks memory at a page's beginning, and that the network reads it."""
    engine = models.open_model(bench, "float32")
    features_TD = models.random_features(bench.sizes.snippets, bench.sizes.feature_dim)
    memory = page_locked(features_TD.nbytes)
    if bench.device == "cpu":
        bench.note("page-locked memory", "skipped: it needs CUDA")
        return
    bench.expect("CUDA gives page-locked memory", memory is not None)
    assert memory is not None
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    bench.equal("its distance from a page", address % os.sysconf("SC_PAGESIZE"), 0, "bytes")
    locked_TD = np.frombuffer(memory, np.float32).reshape(features_TD.shape)
    locked_TD[:] = features_TD
    same = np.array_equal(engine.cas(locked_TD), engine.cas(features_TD))
    bench.expect("logits from page-locked memory are the same", same)


def first_runs_of_new_lengths(bench: Bench) -> None:
    """Times the first and the second run of lengths, and of batches, that no run had before."""
    for form in forms(bench.device):
        engine = models.open_model(bench, form)
        _run_ms(engine, 1, bench.sizes.snippets)
        bench.figure(f"memory after one run, {form}", used_bytes(bench.device) / 2**30, "GiB")
        for what, shapes in (
            ("length", [(1, length) for length in bench.sizes.new_lengths]),
            ("number of videos", [(videos, bench.sizes.snippets) for videos in (3, 5, 7)]),
        ):
            times_ms = np.array([[_run_ms(engine, *shape) for _ in range(2)] for shape in shapes])
            first_ms, second_ms = np.median(times_ms, axis=0)
            bench.figure(f"first run of a new {what}, {form}", first_ms, "ms")
            bench.figure(f"second run of it, {form}", second_ms, "ms")


def _run_ms(engine: OnnxEngine, videos: int, snippets: int) -> float:
    features_BTD = np.zeros((videos, snippets, engine.spec.feature_dim), np.float32)
    start_s = time.perf_counter()
    engine.cas_batch(features_BTD, np.full(videos, snippets))
    return 1e3 * (time.perf_counter() - start_s)


def warmed_lengths(bench: Bench) -> None:
    """Times the first request of a length that the service was warmed up on, and of another."""
    from service.models.served_engine import ServedEngine, ServingConfig

    (published,) = list_models(models.repository(bench))
    warm, cold = bench.sizes.snippets, 2 * bench.sizes.snippets
    on_cuda = bench.device == "cuda"
    config = ServingConfig(EngineConfig(bench.device, require_cuda=on_cuda), (warm,))
    engine = ServedEngine(published, published.read()[0], config)
    bench.figure("loading a model", engine.load_s, "s")
    bench.figure("warming it up on one length", engine.warm_up_s, "s")
    for name, snippets in (("warmed", warm), ("other", cold)):
        features_TD = models.random_features(snippets, bench.sizes.feature_dim)
        start_s = time.perf_counter()
        engine.cas(features_TD)
        elapsed_ms = 1e3 * (time.perf_counter() - start_s)
        bench.figure(f"first request of {snippets} snippets, {name} length", elapsed_ms, "ms")
