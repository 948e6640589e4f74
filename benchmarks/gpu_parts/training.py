"""Training: losses and gradients, the time and memory of a step, a whole run, and its resumption.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from training_step import stack

from gpu_parts.bench import Bench, Device
from gpu_parts.card import median_s
from gpu_parts.sizes import TrainingSize
from model.network import Ecm, EcmConfig
from model.spec import AbsenceTerm
from training.checkpoint import Checkpoint
from training.configuration.execution import Execution
from training.configuration.objective import Objective
from training.configuration.recipe import Recipe
from training.datasets.layouts.native import read_native
from training.datasets.simulated import SimulationConfig, write_simulated
from training.datasets.video_record import VideoSet
from training.loop import fit
from training.losses import stream_scores, weighted_terms
from training.measurement.evaluation import TorchEngine, evaluate
from training.measurement.metrics import tiou_range

TERMS: tuple[AbsenceTerm, ...] = ("paper", "own", "released")
FP32_TOLERANCE = 1e-4
"""Largest relative difference of loss and gradient between GPU and CPU, TF32 being off."""
BF16_TOLERANCE, BF16_GRADIENT_TOLERANCE = 4 * 2**-8, 16 * 2**-8
"""The same of loss and gradient between bfloat16, which rounds by 2^-8, and float32."""
RESUMED_TOLERANCE = 0.02
"""Largest difference between a run and one that was stopped, relative to how far training moves
the weights. It is not 0, because sums on a GPU have no fixed order."""
_COMPILING_S = 40.0
"""A step is not compiled when less time is left."""
_DEVIATIONS = 2
"""So many standard deviations below the CPU's mean a run may end."""


def run(bench: Bench) -> None:
    """Runs the part."""
    bench.steps(losses_equal_those_of_the_cpu, resumed_run_ends_alike, simulated_set_is_learned)
    for name in bench.sizes.training:
        bench.step(f"steps of {name}", time_steps, name)
    for name in bench.sizes.training:
        bench.step(f"compiled steps of {name}", time_compiled_steps, name)


class Step(nn.Module):
    """Features to the total loss, as `fit` computes it: only the network ever uses bfloat16."""

    def __init__(self, network: Ecm, objective: Objective, *, bf16: bool) -> None:
        """Takes the network and what it learns from."""
        super().__init__()
        self.network = network
        self.objective = objective
        self.bf16 = bf16

    def forward(self, features_BTD: Tensor, labels_BC: Tensor, keys_B: Tensor) -> Tensor:
        """Returns the total loss."""
        with torch.autocast(features_BTD.device.type, torch.bfloat16, enabled=self.bf16):
            scores = stream_scores(self.objective, self.network, features_BTD, labels_BC, keys_B)
        return weighted_terms(self.objective, scores.in_fp32(), labels_BC)["total"]


def draw(size: TrainingSize, feature_dim: int, device: Device) -> tuple[Tensor, Tensor, Tensor]:
    """Returns features (B, T, D), labels (B, C) with one class a video, and dropout's keys (B,)."""
    generator = torch.Generator().manual_seed(0)
    shape = size.videos, size.snippets, feature_dim
    features_BTD = 0.3 * torch.randn(shape, generator=generator).abs()
    class_B = torch.arange(size.videos) % size.classes
    labels_BC = nn.functional.one_hot(class_B, size.classes).float()
    keys_B = torch.arange(size.videos, dtype=torch.int32)
    return features_BTD.to(device), labels_BC.to(device), keys_B.to(device)


def network_of(bench: Bench, size: TrainingSize, device: Device) -> Ecm:
    """Returns a network of the released width in training mode, always with the same weights."""
    torch.manual_seed(0)
    config = EcmConfig(bench.sizes.feature_dim, size.classes, bench.sizes.hidden_width)
    return Ecm(config).to(device).train()


@contextmanager
def without_tf32() -> Iterator[None]:
    """Has convolutions on a GPU compute in float32, which is not what torch does by itself."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


def losses_equal_those_of_the_cpu(bench: Bench) -> None:
    """Compares loss and gradient of each absence term, dropout included, with the CPU's."""
    size = replace(bench.sizes.training["THUMOS14"], videos=2)
    bounds = {
        "fp32": (FP32_TOLERANCE, FP32_TOLERANCE),
        "bf16": (BF16_TOLERANCE, BF16_GRADIENT_TOLERANCE),
    }
    with without_tf32():
        for term in TERMS:
            expected = _loss_and_gradient(bench, size, term, "cpu", bf16=False)
            for precision, tolerances in bounds.items():
                bf16 = precision == "bf16"
                got = _loss_and_gradient(bench, size, term, bench.device, bf16=bf16)
                for name, one, other, bound in zip(
                    ("loss", "gradient"), got, expected, tolerances, strict=True
                ):
                    apart = ((one - other).norm() / other.norm()).item()
                    bench.at_most(f"{name} of {term}, {precision}", apart, bound)


def _loss_and_gradient(
    bench: Bench, size: TrainingSize, term: AbsenceTerm, device: Device, *, bf16: bool
) -> tuple[Tensor, Tensor]:
    network = network_of(bench, size, device)
    step = Step(network, Objective(absence=term), bf16=bf16)
    loss = step(*draw(size, bench.sizes.feature_dim, device))
    loss.backward()
    gradients = [parameter.grad for parameter in network.parameters() if parameter.grad is not None]
    return loss.detach().cpu(), torch.cat([gradient.flatten() for gradient in gradients]).cpu()


def time_steps(bench: Bench, name: str) -> None:
    """Times a step of each term forward and backward, beside the three convolutions alone."""
    size = bench.sizes.training[name]
    given = draw(size, bench.sizes.feature_dim, bench.device)
    network = network_of(bench, size, bench.device)
    for bf16 in (False, True):
        precision = "bf16" if bf16 else "fp32"
        floor_ms = _report(bench, f"{name}, {precision}, convolutions alone",
                           lambda bf16=bf16: _convolutions(network, given[0], bf16))  # fmt: skip
        for term in TERMS:
            step = Step(network, Objective(absence=term), bf16=bf16)
            label = f"{name}, {precision}, {term}"
            step_ms = _report(bench, label, lambda step=step: step(*given).backward())
            bench.figure(f"{label}, over the convolutions", step_ms / floor_ms, "x")


def time_compiled_steps(bench: Bench, name: str) -> None:
    """Times the step of the term `own` after torch.compile; its first run compiles it."""
    if name not in bench.sizes.compiled:
        bench.note(f"{name}, compiled", "skipped at this size")
        return
    if not (shutil.which("cc") or shutil.which("gcc")):
        bench.note(f"{name}, compiled", "skipped: torch.compile needs a C compiler")
        return
    size = bench.sizes.training[name]
    given = draw(size, bench.sizes.feature_dim, bench.device)
    for bf16 in (True, False):
        label = f"{name}, {'bf16' if bf16 else 'fp32'}, own, compiled"
        if bench.left_s < _COMPILING_S:
            bench.note(label, "not run: no time is left to compile it")
            continue
        network = network_of(bench, size, bench.device)
        step: Any = torch.compile(Step(network, Objective(), bf16=bf16))
        _report(bench, label, lambda step=step: step(*given).backward())


def _report(bench: Bench, label: str, work: Callable[[], object]) -> float:
    """Reports median time and peak memory of some work; returns the milliseconds."""
    if bench.device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    elapsed_ms = 1e3 * median_s(work, bench.device, bench.sizes.turns)
    bench.figure(label, elapsed_ms, "ms")
    if bench.device == "cuda":
        bench.figure(f"{label}, memory", torch.cuda.max_memory_allocated() / 2**30, "GiB")
    return elapsed_ms


def _convolutions(network: Ecm, features_BTD: Tensor, bf16: bool) -> None:
    with torch.autocast(features_BTD.device.type, torch.bfloat16, enabled=bf16):
        loss = stack(network, features_BTD).float().mean()
    loss.backward()


def simulated(bench: Bench) -> VideoSet:
    """Returns the simulated set, written at the first call."""
    folder = bench.scratch / "simulated"
    if not folder.exists():
        write_simulated(folder, SimulationConfig())
    return read_native(folder / "annotations.json", folder / "features")


def recipe(epochs: int) -> Recipe:
    """Returns a recipe for the simulated set, of five steps an epoch."""
    return Recipe(hidden_width=64, snippets=64, epochs=epochs, learning_rate=1e-3)


def fitted(bench: Bench, name: str, epochs: int) -> Checkpoint:
    """Returns the last checkpoint of a run, which goes on where one of this name stopped."""
    training, out = simulated(bench).subset("training"), bench.scratch / "fitted" / name
    return fit(training, None, recipe(epochs), out, execution=Execution(device=bench.device))


def resumed_run_ends_alike(bench: Bench) -> None:
    """Compares the weights of a run with those of one that was stopped half way."""
    epochs = 6
    start = fitted(bench, "start", 1)
    whole = fitted(bench, "whole", epochs)
    fitted(bench, "resumed", epochs // 2)
    resumed = fitted(bench, "resumed", epochs)
    bench.equal("epochs of the resumed run", resumed.epoch, epochs)
    moved, apart = _distance(start, whole), _distance(resumed, whole)
    bench.at_most("its weights against one run's", apart / moved, RESUMED_TOLERANCE)


def _distance(one: Checkpoint, other: Checkpoint) -> float:
    squares = [(one.network_state[name].cpu() - weight.cpu()).double().square().sum().item()
               for name, weight in other.network_state.items()]  # fmt: skip
    return sum(squares) ** 0.5


def simulated_set_is_learned(bench: Bench) -> None:
    """Trains on the simulated set and compares the mAP with that of runs on a CPU."""
    sizes = bench.sizes
    last = fitted(bench, "long", sizes.simulated_epochs)
    engine = TorchEngine(last.network().to(bench.device), bench.device)
    validation = simulated(bench).subset("validation")
    found = evaluate(engine, last.spec, validation, tiou_range("0.1:0.7:0.1"))
    least = sizes.reference_map - _DEVIATIONS * sizes.reference_deviation
    name = f"mAP after {5 * sizes.simulated_epochs} steps on the simulated set"
    bench.at_least(name, found.detection.average, least)
