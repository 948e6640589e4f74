r"""Designs of the `motion` extractor for people who are far, dark or small.

    python -m benchmarks.motion_designs fights/annotations.json fights/videos --out designs
    python -m benchmarks.motion_designs fights/annotations.json fights/videos --out designs \
        --designs motion centred clahe --seeds 1

Each design is measured as by `ecm cross-validate`, on scenes of the training videos that the
networks have not seen. Other videos are not read. A seed is also the seed of the division. The
table has the difference from `motion`, with the interval of 95 % of the resamples of the videos,
mean over the seeds. The folder keeps features and results, so a stopped measurement continues.
With `--linear`, no network is trained. A logistic regression of snippets and the mean of their
neighbours is taught the true times of the other scenes, which takes seconds. `--first N` takes the
first training videos alone, and needs a folder of its own unless `--linear` is given.

Axes: T snippets, D channels, S seeds, R resamples, K tIoU thresholds.
"""

import argparse
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import uniform_filter1d
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.motion_extractors import extract
from benchmarks.motion_transforms import (
    Rng,
    centred,
    in_context,
    normalized,
    ranked,
    with_background,
    with_gain,
)
from features.motion import MotionExtractor
from model.snippets import snippet_centres
from model.whole_file import whole_file
from training.checkpoint import Checkpoint
from training.configuration.execution import Execution
from training.configuration.presets import preset
from training.configuration.recipe import Recipe
from training.cross_validation.division import scenes_of, splits_by_scene
from training.cross_validation.intervals import interval_of, resampled_counts, resampled_map
from training.cross_validation.out_of_fold import HeldOut, out_of_fold
from training.cross_validation.scenes import ScenePart
from training.datasets.feature_clock import FeatureRate
from training.datasets.feature_files import HeldArray
from training.datasets.layouts.native import read_native
from training.datasets.result_file import write_json
from training.datasets.video_record import VideoRecord, VideoSet
from training.experiments.finding import table
from training.loop import finishing, trained
from training.measurement.metrics import tiou_range
from training.measurement.summary import roc_auc
from training.progress import step_bar

Floats: TypeAlias = NDArray[np.float32]

TIOU_K = tiou_range("0.1:0.7:0.1")
FOLDS, RESAMPLES = 5, 300
COPIES = 3
"""Changed copies of each video in a design with copies. Epochs are divided accordingly."""


@dataclass(frozen=True, slots=True)
class Design:
    """Features, and videos to learn from."""

    extractors: Sequence[str] = ("motion",)
    """Extractors, whose channels are joined."""
    transform: Callable[[Floats], Floats] = np.asarray
    """Change of the features of a video."""
    copy: Callable[[VideoRecord, Sequence[VideoRecord], Rng], VideoRecord] | None = None
    """Makes a changed copy of a video to learn from."""
    options: Mapping[str, Any] = field(default_factory=dict)
    """Changes of the recipe."""
    seed: int = 0
    """Is added to the seed of the networks."""


DESIGNS = {
    "motion": Design(),
    "other-seeds": Design(seed=10),
    "centred": Design(transform=centred),
    "normalized": Design(transform=normalized),
    "ranked": Design(transform=ranked),
    "context": Design(transform=in_context),
    "gains": Design(copy=with_gain),
    "background": Design(copy=with_background),
    "clahe": Design(("clahe",)),
    "motion+clahe": Design(("motion", "clahe")),
    "foreground": Design(("foreground",)),
    "motion+foreground": Design(("motion", "foreground")),
    "motion+windows": Design(("motion", "windows")),
    "motion+jerk": Design(("motion", "jerk")),
    "motion+moving": Design(("motion", "moving")),
    "motion+change": Design(("motion", "change")),
}


def main() -> None:
    """Extracts and measures what is missing, and prints the table."""
    options = _options()
    torch.set_flush_denormal(True)
    names = sorted({one for design in options.designs for one in DESIGNS[design].extractors})
    extract(names, options.annotations, options.videos, options.out, options.first)
    if options.linear:
        for design in options.designs:
            aucs = [linear_auc(DESIGNS[design], seed, options) for seed in range(options.seeds)]
            print(design, *(f"{100 * auc:.1f}" for auc in [np.mean(aucs), *aucs]), flush=True)
        return
    for seed in range(options.seeds):
        for design in options.designs:
            path = options.out / f"{design}-{seed}.npz"
            if not path.is_file():
                measure(DESIGNS[design], seed, options, path)
    print(results(options.out, options.designs, options.seeds))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("videos", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--designs", nargs="+", choices=DESIGNS, default=list(DESIGNS))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first", type=int, metavar="N", help="first N training videos")
    parser.add_argument("--linear", action="store_true")
    parser.add_argument("--set", nargs="*", default=[], metavar="OPTION=VALUE")
    return parser.parse_args()


def measure(design: Design, seed: int, options: argparse.Namespace, path: Path) -> None:
    """Trains a network for each fold and writes mAP of all resamples, and the AUC of the tags."""
    recipe = preset("own-videos").override(
        {"calibration_folds": 0, "seed": seed + design.seed, **design.options}
        | dict(word.split("=") for word in options.set)
    )
    videos = _videos(design, options)
    divided = splits_by_scene(videos, _scenes(videos, options), FOLDS, seed)
    found = _figures(out_of_fold(divided, partial(_trained, design, recipe), "cpu"))
    with whole_file(path) as file:
        np.savez(file, **found)
    map_K = 100 * found["map_RK"][0]
    print(f"{path.stem}: {map_K[4]:.1f} at 0.5, {map_K.mean():.1f} on average", flush=True)


def _trained(design: Design, recipe: Recipe, learned: VideoSet) -> Checkpoint:
    """Returns a network that learned from videos and their copies."""
    every = replace(learned, videos=(*learned.videos, *_copies(design, recipe.seed, learned)))
    epochs = max(1, recipe.epochs * len(learned.videos) // len(every.videos))
    shorter, execution = replace(recipe, epochs=epochs), Execution(device="cpu")
    with step_bar(shorter, name="network", steps=None) as progress:
        last = trained(every, shorter, execution=execution, progress=progress)
    return finishing(learned, shorter, execution)(last)


def _copies(design: Design, seed: int, learned: VideoSet) -> list[VideoRecord]:
    if design.copy is None:
        return []
    rng = np.random.default_rng(seed)
    return [
        replace(design.copy(video, learned.videos, rng), id=f"{video.id}/{number}")
        for number in range(COPIES)
        for video in learned.videos
    ]


def linear_auc(design: Design, seed: int, options: argparse.Namespace) -> float:
    """Returns the AUC of single snippets in held-out parts with the action.

    A logistic regression is taught the true times of the other scenes.
    """
    videos = _videos(design, options)
    score, shown = [], []
    for split in splits_by_scene(videos, _scenes(videos, options), FOLDS, seed):
        every = split.learned.videos
        model = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=200))
        model.fit(
            np.concatenate([_with_neighbours(video) for video in every]),
            np.concatenate([_shown(video) for video in every]),
        )
        for video in split.held_out.videos:
            if video.instances:
                score.append(model.decision_function(_with_neighbours(video)))
                shown.append(_shown(video))
    return roc_auc(np.concatenate(shown), np.concatenate(score))


def _with_neighbours(video: VideoRecord) -> Floats:
    """Returns the rows and the means of 5 rows, which is as far as the network sees."""
    rows_TD = video.features()
    return np.hstack([rows_TD, uniform_filter1d(rows_TD, 5, axis=0, mode="nearest")])


def _shown(video: VideoRecord) -> NDArray[np.bool_]:
    """Returns whether the centre of each snippet is in an instance."""
    snippets = len(video.features_as_stored())
    centre_T = snippet_centres(snippets=snippets, duration_s=video.duration_s)
    inside = [(one.start_s <= centre_T) & (centre_T < one.end_s) for one in video.instances]
    return np.logical_or.reduce([np.zeros(snippets, bool), *inside])


def _videos(design: Design, options: argparse.Namespace) -> VideoSet:
    """Returns the training videos with the features of a design."""
    first, *further = (options.out / name for name in design.extractors)
    clock = MotionExtractor.rate_fps, MotionExtractor.snippet_frames
    videos = read_native(options.annotations, first, FeatureRate(*clock)).subset("training")
    chosen = videos.videos[: options.first]
    changed = (replace(video, source=_changed(video, further, design)) for video in chosen)
    return replace(videos, videos=tuple(changed))


def _changed(video: VideoRecord, further: Sequence[Path], design: Design) -> HeldArray:
    more = [np.load(folder / f"{video.id}.npy") for folder in further]
    return HeldArray(design.transform(np.hstack([video.features(), *more])))


def _scenes(videos: VideoSet, options: argparse.Namespace) -> dict[str, list[ScenePart]]:
    """Returns the scenes of the videos, which are found once."""
    path: Path = options.out / "scenes.json"
    if not path.is_file():
        found = scenes_of(videos, options.videos, iter)
        write_json(path, {id_: [asdict(part) for part in own] for id_, own in found.items()})
    rows = json.loads(path.read_bytes())
    return {id_: [ScenePart(**part) for part in own] for id_, own in rows.items()}


def _figures(held_out: Sequence[HeldOut]) -> dict[str, NDArray[Any]]:
    names = [f"{one.video.id}#{one.fold}" for one in held_out]
    truth = {name: one.video.instances for name, one in zip(names, held_out, strict=True)}
    segments = {name: one.predict().segments for name, one in zip(names, held_out, strict=True)}
    count_RV = resampled_counts([one.video.id for one in held_out])[: 1 + RESAMPLES]
    tag_V = np.array([bool(one.video.labels) for one in held_out])
    score_V = np.array([one.scores_C.max() for one in held_out])
    return {
        "map_RK": resampled_map(truth, segments, TIOU_K, count_RV),
        "auc": np.array(roc_auc(tag_V, score_V)),
    }


def results(out: Path, designs: Sequence[str], seeds: int) -> str:
    """Returns the table of the designs; the first one is compared with."""
    first_SRK, _ = _read(out, designs[0], seeds)
    rows = []
    for design in designs:
        map_SRK, auc_S = _read(out, design, seeds)
        mean_K = map_SRK[:, 0].mean(axis=0)
        gain_RK = (map_SRK - first_SRK).mean(axis=0)
        single = ", ".join(f"{value:.1f}" for value in map_SRK[:, 0, 4])
        shown = [*mean_K[[2, 4, 6]], mean_K.mean(), auc_S.mean()]
        gains = [interval_of(gain_R).signed for gain_R in (gain_RK[:, 4], gain_RK.mean(axis=1))]
        rows.append([f"`{design}`", single, *(f"{value:.1f}" for value in shown), *gains])
    columns = ["0.3", "0.5", "0.7", "average", "tag AUC", "gain at 0.5", "gain of the average"]
    return table(["design", "0.5 by seed", *columns], rows)


def _read(out: Path, design: str, seeds: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Returns mAP of the resamples, (S, R, K), and the AUC of the tags, (S,), in percent."""
    found = [np.load(out / f"{design}-{seed}.npz") for seed in range(seeds)]
    return 100 * np.array([one["map_RK"] for one in found]), 100 * np.array(
        [one["auc"] for one in found]
    )


if __name__ == "__main__":
    main()
