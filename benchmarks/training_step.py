"""Time of one training step: the losses forward and backward, without the optimizer.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --configuration thumos14 --repeats 5
    python benchmarks/training_step.py --memory

Our losses are compared with two others. The floor is the convolution stack alone on the same
features. The released form computes the second stream and its loss one video and one pass after the
other, as published; its loss and gradient must first equal ours. All forms take turns in one run;
times are medians.

Axes: B videos, T snippets, D feature channels, C classes.
"""

import argparse
import resource
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context

import torch
from record import Record, add_json_option
from timing import medians_s
from torch import Tensor
from torch.nn import functional

from model.network import Ecm, EcmConfig, SnippetClassifier, topk_mean
from model.spec import AbsenceTerm
from training.configuration.objective import Objective
from training.configuration.presets import preset
from training.losses import stream_scores, weighted_terms

FEATURE_DIM = 2048
RELEASED, FLOOR = "released form", "floor"
TOLERANCE = 1e-4
"""Largest relative difference of loss and gradient between the released form and ours."""
MEMORY_LIMIT_GIB = 16
"""Largest peak memory of a step with `--memory`; a larger one is an error."""


@dataclass(frozen=True, slots=True)
class Configuration:
    """Size of a training step, and its objective."""

    videos: int
    """Number of videos, B."""
    snippets: int
    """Number of snippets, T."""
    classes: int
    """Number of classes, C."""
    objective: Objective
    """Weights and settings of the losses."""

    def draw(self, device: str) -> tuple[Tensor, Tensor]:
        """Returns features (B, T, D) and labels (B, C): every eighth video has two classes."""
        generator = torch.Generator().manual_seed(0)
        shape = self.videos, self.snippets, FEATURE_DIM
        features_BTD = 0.3 * torch.randn(shape, generator=generator).abs()
        label_B2 = torch.rand(self.videos, self.classes, generator=generator).topk(2).indices
        labels_BC = torch.zeros(self.videos, self.classes).scatter(1, label_B2[:, :1], 1)
        labels_BC[::8] = labels_BC[::8].scatter(1, label_B2[::8, 1:], 1)
        return features_BTD.to(device), labels_BC.to(device)

    def network(self, device: str, dropout: float = 0.5) -> Ecm:
        """Returns a network of the released width with fixed initial weights."""
        torch.manual_seed(0)
        return Ecm(EcmConfig(FEATURE_DIM, self.classes, dropout=dropout)).to(device)


_THUMOS14 = preset("thumos14-released").objective
_ACTIVITYNET13 = preset("activitynet13-released").objective
CONFIGURATIONS = {
    "thumos14": Configuration(16, 750, 20, _THUMOS14),
    "activitynet13": Configuration(16, 100, 200, _ACTIVITYNET13),
}
MEMORY_CONFIGURATION = Configuration(128, 100, 200, _ACTIVITYNET13)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--configuration", choices=CONFIGURATIONS, help="configuration to measure; all if absent"
    )
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument(
        "--repeats", type=int, default=3, help="timed steps, of which the median counts"
    )
    parser.add_argument("--videos", type=int, help="videos of a step; as released if absent")
    parser.add_argument("--threads", type=int, help="threads of torch on the CPU")
    parser.add_argument("--memory", action="store_true", help="measure peak memory instead")
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    if arguments.memory:
        print_memory(arguments.device)
        return
    record = Record("The training step", [RELEASED, FLOOR])
    for name in [arguments.configuration] if arguments.configuration else CONFIGURATIONS:
        configuration = CONFIGURATIONS[name]
        check(configuration, arguments.device)
        if arguments.videos:
            configuration = replace(configuration, videos=arguments.videos)
        add_times(record, name, configuration, arguments.device, arguments.repeats)
    record.finish(arguments.json)


def check(configuration: Configuration, device: str) -> None:
    """Exits with an error if the released form and ours differ in the loss or its gradient."""
    configuration = replace(configuration, videos=2)
    features_BTD, labels_BC = configuration.draw(device)
    results = []
    for losses in (released_by_loops, our_losses):
        network = configuration.network(device, dropout=0)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            loss = losses(configuration.objective, network, features_BTD, labels_BC)["total"]
            loss.backward()
        gradient = torch.cat([parameter.grad.flatten() for parameter in network.parameters()])
        results.append({"loss": loss.detach(), "gradient": gradient})
    for name, expected in results[0].items():
        difference = ((results[1][name] - expected).norm() / expected.norm()).item()
        if not difference <= TOLERANCE:
            sys.exit(f"{name}: relative difference of {difference:.2g} from the released form")


def add_times(
    record: Record, name: str, configuration: Configuration, device: str, repeats: int
) -> None:
    """Adds the times of one configuration: all forms in float32, and ours in bfloat16."""
    steps = forms(configuration, device)
    works = {key: partial(finished, step, device) for key, step in steps.items()}
    for (precision, form), time_s in medians_s(works, repeats).items():
        case = f"{name}, {configuration.videos} videos, {precision}"
        record.add(case, form, {"ms": 1e3 * time_s})


def forms(configuration: Configuration, device: str) -> dict[tuple[str, str], Callable[[], object]]:
    """Returns the training steps to time, by precision and form."""
    features_BTD, labels_BC = configuration.draw(device)
    network = configuration.network(device)

    def floor(bf16: bool) -> None:
        with torch.autocast(device, torch.bfloat16, enabled=bf16):
            loss = stack(network, features_BTD).mean()
        loss.backward()

    def released() -> None:
        losses = released_by_loops(configuration.objective, network, features_BTD, labels_BC)
        losses["total"].backward()

    def ours(absence: AbsenceTerm, bf16: bool) -> None:
        objective = replace(configuration.objective, absence=absence)
        our_losses(objective, network, features_BTD, labels_BC, bf16)["total"].backward()

    steps: dict[tuple[str, str], Callable[[], object]] = {("fp32", RELEASED): released}
    for precision in ("fp32", "bf16"):
        in_bf16 = precision == "bf16"
        steps[precision, FLOOR] = partial(floor, in_bf16)
        for absence in ("released", "own"):
            steps[precision, f"ours, {absence}"] = partial(ours, absence, in_bf16)
    return steps


def finished(step: Callable[[], object], device: str) -> None:
    """Runs a step and waits until the device has finished it."""
    step()
    if device == "cuda":
        torch.cuda.synchronize()


def stack(network: Ecm, features_BTD: Tensor) -> Tensor:
    """Returns the class activation sequence (B, C, T) of the three convolutions alone."""
    classifier = network.classifier
    features_BDT = features_BTD.mT.contiguous()
    hidden_BHT = functional.leaky_relu_(classifier.conv_1(features_BDT), 0.01)
    return classifier.conv_3(functional.leaky_relu_(classifier.conv_2(hidden_BHT), 0.01))


def our_losses(
    objective: Objective, network: Ecm, features_BTD: Tensor, labels_BC: Tensor, bf16: bool = False
) -> dict[str, Tensor]:
    """Returns our losses as `fit` computes them: only the network uses bfloat16."""
    with torch.autocast(features_BTD.device.type, torch.bfloat16, enabled=bf16):
        scores = stream_scores(objective, network, features_BTD, labels_BC)
    return weighted_terms(objective, scores.in_fp32(), labels_BC)


def released_by_loops(
    objective: Objective, network: Ecm, features_BTD: Tensor, labels_BC: Tensor
) -> dict[str, Tensor]:
    """Returns the released losses: the CAS of all videos at once, everything else in loops."""
    cas_BTC = released_stack(network.classifier, features_BTD.mT).mT
    pre_BC = topk_mean(cas_BTC, objective.topk_ratio)
    weights_BTC = torch.sigmoid(network.transition(cas_BTC.mT)).mT
    post, a2c = [], []
    for features_TD, w_a_TC, labels_C in zip(features_BTD, weights_BTC, labels_BC, strict=True):
        post.append(released_pass(network, features_TD, w_a_TC))
        absence_C = released_absence(network, features_TD, w_a_TC, labels_C)
        a2c.append(released_a2c(post[-1], absence_C, labels_C))
    post_BC = torch.stack(post)
    target_BC = labels_BC / labels_BC.sum(dim=1, keepdim=True)
    total = objective.beta * torch.stack(a2c).mean()
    for logits_BC in (pre_BC, post_BC):
        total = total - (target_BC * logits_BC.log_softmax(dim=1)).sum(dim=1).mean()
    return {"total": total + objective.alpha * ((pre_BC - post_BC) ** 2).mean()}


def released_stack(classifier: SnippetClassifier, features_NDX: Tensor) -> Tensor:
    """Returns the logits of all classes (N, C, X), dropout included."""
    for conv in (classifier.conv_1, classifier.conv_2):
        features_NDX = functional.leaky_relu(conv(features_NDX), 0.01)
    share = classifier.dropout_share
    return classifier.conv_3(functional.dropout(features_NDX, share, classifier.training))


def released_pass(network: Ecm, features_TD: Tensor, weights_TC: Tensor) -> Tensor:
    """Returns logits (C,): for class c, row c of the classified weighted sums of class c."""
    folds = [weights_TC[fold::3].T @ features_TD[fold::3] for fold in range(3)]
    logits_CC3 = released_stack(network.classifier, torch.stack(folds, dim=2))
    return logits_CC3.diagonal().mean(dim=0)


def released_absence(network: Ecm, features_TD: Tensor, w_a_TC: Tensor, labels_C: Tensor) -> Tensor:
    """Returns logits (C,): one pass for each present class over features weighted with its W_b."""
    w_b_TC = 1 - w_a_TC
    passes = {}
    for class_ in labels_C.nonzero()[:, 0].tolist():
        passes[class_] = released_pass(network, features_TD * w_b_TC[:, [class_]], w_a_TC)
    absence = list(torch.stack(list(passes.values())).mean(dim=0))
    for class_, logits_C in passes.items():
        absence[class_] = logits_C[class_]
    return torch.stack(absence)


def released_a2c(action_C: Tensor, absence_C: Tensor, labels_C: Tensor) -> Tensor:
    """Returns L_a2c of one video: one softmax over 2C logits, of which present classes count."""
    present = labels_C.nonzero()[:, 0]
    score_X = torch.cat([action_C, absence_C]).softmax(dim=0)
    selected = torch.cat([score_X[present], score_X[present + len(labels_C)]])
    target = torch.cat([torch.ones(len(present)), torch.zeros(len(present))]).to(selected)
    return functional.binary_cross_entropy(selected, target)


def print_memory(device: str) -> None:
    """Prints the peak memory of one step at the largest released size, in a process of its own."""
    for precision in ("fp32", "bf16"):
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
            peak_gib = pool.submit(peak_memory_gib, precision, device).result()
        print(f"batch 128, 200 classes, {precision}: {peak_gib:.1f} GiB", flush=True)
        if peak_gib > MEMORY_LIMIT_GIB:
            sys.exit(f"expected at most {MEMORY_LIMIT_GIB} GiB")


def peak_memory_gib(precision: str, device: str) -> float:
    """Returns the peak memory during one step, in GiB: on a GPU its memory, else the process's."""
    features_BTD, labels_BC = MEMORY_CONFIGURATION.draw(device)
    network = MEMORY_CONFIGURATION.network(device)
    objective = MEMORY_CONFIGURATION.objective
    our_losses(objective, network, features_BTD, labels_BC, precision == "bf16")["total"].backward()
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


if __name__ == "__main__":
    main()
