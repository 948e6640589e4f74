"""The trained networks that experiments look at: gives them, training what is missing."""

import json
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from model.spec import ModelSpec
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from training.datasets.result_file import write_json
from training.datasets.video_record import VideoSet
from training.evaluation import TorchEngine, evaluate
from training.execution import Execution
from training.experiments.variants import VARIANTS
from training.loop import fit
from training.recipe import Recipe

_log = logging.getLogger(__name__)

SelectionProtocol: TypeAlias = Literal["honest", "released"]
Choice: TypeAlias = Literal["last", "best"]
Figures: TypeAlias = dict[str, float]

TIOU = tuple(round(0.1 + 0.05 * step, 2) for step in range(18))
"""Every threshold that a table of the paper has: 0.10:0.05:0.95."""


@dataclass(frozen=True, slots=True)
class Study:
    """One data set, one recipe and its variants, several seeds."""

    training: VideoSet
    """To learn from."""
    judging: VideoSet | None
    """To choose the best epoch; None where only the last one counts."""
    test: VideoSet
    """To measure on."""
    recipe: Recipe
    """Of full ECM."""
    seeds: tuple[int, ...]
    """One network each."""
    out: Path
    """Where runs and findings go."""
    protocol: SelectionProtocol = "honest"
    """`released` chooses the best epoch on the test videos, as the released code does."""
    execution: Execution = field(default_factory=Execution)
    """How to compute."""
    drawn: tuple[str, ...] = ()
    """Ids of test videos that pictures show; empty leaves the choice to the experiment."""
    software: str = ""
    """Name and version, for the provenance."""

    @property
    def choices(self) -> dict[Choice, str]:
        """Which checkpoints are reported, and what they are called."""
        if self.judging is None:
            return {"last": "last epoch"}
        subset = "test" if self.protocol == "released" else "validation"
        return {"last": "last epoch", "best": f"best on {subset}"}

    def train(self, *variants: str) -> None:
        """Trains what is missing of some variants, all seeds; goes on with what was begun."""
        for number, seed in enumerate(self.seeds):
            for place, variant in enumerate(variants):
                done = number * len(variants) + place + 1
                total = len(self.seeds) * len(variants)
                _log.info("%s, seed %d (%d of %d)", variant, seed, done, total)
                recipe = self.recipe.override({**VARIANTS[variant], "seed": seed})
                fit(
                    self.training,
                    self.judging,
                    recipe,
                    self.run(variant, seed),
                    execution=self.execution,
                    software=self.software,
                )

    def run(self, variant: str, seed: int) -> Path:
        """Returns the folder of a run."""
        return self.out / "runs" / variant / f"seed_{seed}"

    def checkpoint(self, variant: str, seed: int, choice: Choice = "last") -> Checkpoint:
        """Returns a trained network."""
        name = LAST if choice == "last" else BEST
        return load_checkpoint(self.run(variant, seed) / name)

    def engine(
        self, variant: str, seed: int, choice: Choice = "last"
    ) -> tuple[TorchEngine, ModelSpec]:
        """Returns a trained network, ready to run, and its spec."""
        checkpoint = self.checkpoint(variant, seed, choice)
        device = self.execution.torch_device()
        return TorchEngine(checkpoint.network().to(device), device), checkpoint.spec

    def figures(self, variant: str, choice: Choice = "last") -> list[Figures]:
        """Returns the figures of a variant on the test videos, one for each seed."""
        return [self._figures(variant, seed, choice) for seed in self.seeds]

    def _figures(self, variant: str, seed: int, choice: Choice) -> Figures:
        """Returns what was measured before, if it was on the same network, else measures."""
        path = self.run(variant, seed) / f"figures_{choice}.json"
        engine, spec = self.engine(variant, seed, choice)
        spec = replace(spec, localization=self.recipe.localization, sampling=self.recipe.sampling)
        subject = {"spec": json.loads(spec.to_json()), "videos": [v.id for v in self.test.videos]}
        if path.is_file():
            kept = json.loads(path.read_text())
            if kept["subject"] == subject:
                return dict(kept["figures"])
        _log.info("measuring %s, seed %d, %s", variant, seed, self.choices[choice])
        figures = evaluate(engine, spec, self.test, TIOU).figures()
        write_json(path, {"subject": subject, "figures": figures})
        return figures

    def circumstances(self) -> str:
        """Returns a sentence on data and seeds."""
        judging = f", {len(self.judging.videos)} to choose an epoch on" if self.judging else ""
        return (
            f"Ours on {self.test.source}: {len(self.training.videos)} training videos{judging}, "
            f"{len(self.test.videos)} test videos, "
            + ("one seed." if len(self.seeds) == 1 else
               f"mean and standard deviation of {len(self.seeds)} seeds.")
        )  # fmt: skip

    def described(self) -> dict[str, object]:
        """Returns what a finding says of its circumstances."""
        return {
            "data": self.test.source,
            "training_videos": len(self.training.videos),
            "judging_videos": len(self.judging.videos) if self.judging else 0,
            "test_videos": len(self.test.videos),
            "protocol": self.protocol,
            "seeds": list(self.seeds),
            "recipe": asdict(self.recipe),
        }


def mean_ap(figures: Figures, tious: tuple[float, ...]) -> float:
    """Returns the mean of the mAPs at some thresholds, in percent."""
    return 100 * sum(figures[f"mAP@{tiou:g}"] for tiou in tious) / len(tious)
