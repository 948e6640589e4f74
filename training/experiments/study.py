"""The networks of an experiment: trained if missing, measured on the test videos."""

import json
import logging
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

from model.spec import ModelSpec
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from training.configuration.execution import Execution
from training.configuration.recipe import Recipe
from training.data_digest import DataDigest, digest_to_json
from training.datasets.result_file import write_json
from training.datasets.video_record import VideoSet
from training.experiments.variants import TITLES, VARIANTS
from training.loop import fit
from training.measurement.evaluation import TorchEngine, evaluate

_log = logging.getLogger(__name__)

SelectionProtocol: TypeAlias = Literal["honest", "released"]
Choice: TypeAlias = Literal["last", "best"]
Figures: TypeAlias = dict[str, float]
"""Figures of one network by name, as `Evaluation.figures` returns them."""

TIOU = tuple(round(0.1 + 0.05 * step, 2) for step in range(18))
"""All tIoU thresholds in the tables of the paper: 0.10:0.05:0.95."""


@dataclass(frozen=True, slots=True)
class Study:
    """One data set, one recipe with its variants, and several seeds."""

    training: VideoSet
    """Videos to train on."""
    judging: VideoSet | None
    """Videos on which the best epoch is chosen; None if only the last epoch is reported."""
    test: VideoSet
    """Videos on which networks are measured."""
    recipe: Recipe
    """Recipe of full ECM."""
    seeds: tuple[int, ...]
    """Seeds; each variant has one network for each seed."""
    out: Path
    """Folder of the runs and the findings."""
    protocol: SelectionProtocol = "honest"
    """With `released`, the best epoch is chosen on the test videos, as in the released code."""
    execution: Execution = field(default_factory=Execution)
    """Device and other settings of the computation."""
    drawn: tuple[str, ...] = ()
    """Ids of the test videos to plot; if empty, the experiment chooses."""
    software: str = ""
    """Name and version of the software, for the provenance of checkpoints."""
    test_digest: DataDigest = field(default_factory=dict)
    """Digest of the test videos and their times; figures of other test data do not count."""
    silent: dict[str, str] = field(default_factory=dict)
    """Networks without any segment in the test videos, and the reason; measurements fill it."""

    @property
    def choices(self) -> dict[Choice, str]:
        """Reported checkpoints, with their names in tables."""
        if self.judging is None:
            return {"last": "last epoch"}
        subset = "test" if self.protocol == "released" else "validation"
        return {"last": "last epoch", "best": f"best on {subset}"}

    def train(self, *variants: str) -> None:
        """Trains all seeds of some variants; finished runs stay, interrupted ones are resumed."""
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
        """Returns the folder of one run."""
        return self.out / "runs" / variant / f"seed_{seed}"

    def checkpoint(self, variant: str, seed: int, choice: Choice = "last") -> Checkpoint:
        """Returns the checkpoint of a trained network."""
        name = LAST if choice == "last" else BEST
        return load_checkpoint(self.run(variant, seed) / name)

    def engine(
        self, variant: str, seed: int, choice: Choice = "last"
    ) -> tuple[TorchEngine, ModelSpec]:
        """Returns an engine that runs a trained network, and the spec of the network."""
        checkpoint = self.checkpoint(variant, seed, choice)
        device = self.execution.torch_device()
        return TorchEngine(checkpoint.network().to(device), device), checkpoint.spec

    def figures(self, variant: str, choice: Choice = "last") -> list[Figures]:
        """Returns the figures of a variant on the test videos, one item for each seed."""
        return [self._figures(variant, seed, choice) for seed in self.seeds]

    def _figures(self, variant: str, seed: int, choice: Choice) -> Figures:
        """Returns stored figures of the same network and videos if there are any, else measures."""
        path = self.run(variant, seed) / f"figures_{choice}.json"
        engine, spec = self.engine(variant, seed, choice)
        spec = replace(spec, localization=self.recipe.localization, sampling=self.recipe.sampling)
        test = json.loads(digest_to_json(self.test_digest))
        subject = {"spec": json.loads(spec.to_json()), "test": test}
        stored = json.loads(path.read_text()) if path.is_file() else {}
        if stored.get("subject") != subject or "nothing_found" not in stored:
            _log.info("measuring %s, seed %d, %s", variant, seed, self.choices[choice])
            result = evaluate(engine, spec, self.test, TIOU)
            reason = result.why_nothing_found(spec.localization)
            stored = {"subject": subject, "figures": result.figures(), "nothing_found": reason}
            write_json(path, stored)
        if stored["nothing_found"]:
            name = f"{TITLES[variant]}, seed {seed}, {self.choices[choice]}"
            self.silent[name] = stored["nothing_found"]
        return dict(stored["figures"])

    @property
    def ambiguous_videos(self) -> int:
        """Number of test videos with ambiguous times."""
        return sum(bool(video.ambiguous) for video in self.test.videos)

    def description(self) -> str:
        """Returns sentences on data and seeds, and on networks that found no segment."""
        judging = f", {len(self.judging.videos)} to choose an epoch on" if self.judging else ""
        seeds = (
            "one seed"
            if len(self.seeds) == 1
            else f"mean and standard deviation of {len(self.seeds)} seeds"
        )
        return (
            f"Our numbers are on {self.test.source}: {len(self.training.videos)} training videos"
            f"{judging}, {len(self.test.videos)} test videos; {seeds}."
            + " Segments in ambiguous times do not count (W-TALC's protocol)."
            * bool(self.ambiguous_videos)
        ) + "".join(f"\n\n{name}: no segment, because {why}." for name, why in self.silent.items())

    def to_json(self) -> dict[str, object]:
        """Returns the data, protocol, seeds and recipe, for the JSON of a finding."""
        return {
            "data": self.test.source,
            "training_videos": len(self.training.videos),
            "judging_videos": len(self.judging.videos) if self.judging else 0,
            "test_videos": len(self.test.videos),
            "protocol": self.protocol,
            "ambiguous_videos": self.ambiguous_videos,
            "seeds": list(self.seeds),
            "recipe": asdict(self.recipe),
        }


def mean_ap(figures: Figures, tious: tuple[float, ...]) -> float:
    """Returns the mean of the mAPs at some tIoU thresholds, in percent."""
    return 100 * sum(figures[f"mAP@{tiou:g}"] for tiou in tious) / len(tious)
