"""The state that a run goes on from: its last checkpoint, on the data and the recipe at hand.

A run of another recipe, other classes or other data is refused by what differs.
"""

import logging
from dataclasses import replace
from pathlib import Path

from model.errors import OptionError
from model.spec import ModelSpec
from training.checkpoint import BEST, LAST, Checkpoint, load_checkpoint
from training.configuration.recipe import Recipe
from training.data_digest import DataDigest, data_change
from training.datasets.video_record import VideoSet
from training.initialization import RunData, fresh_checkpoint, make_spec

_log = logging.getLogger(__name__)


def initial_checkpoint(
    data: RunData, recipe: Recipe, out: Path, software: str, *, retrain: bool = False
) -> Checkpoint:
    """Returns the last checkpoint in `out`, or without one a checkpoint of fresh weights.

    Args:
        data: Videos of the run.
        recipe: Choices of the experiment.
        out: Folder of the run.
        software: Name and version of this software, for the provenance.
        retrain: Whether to start from fresh weights in any case.

    Raises:
        DataError: A video's features cannot be used.
        OptionError: `out` contains a run of another recipe, other classes or other data.
    """
    if (out / LAST).is_file() and not retrain:
        return _resumed(load_checkpoint(out / LAST), data, recipe, out)
    return fresh_checkpoint(data, recipe, software)


def _resumed(last: Checkpoint, data: RunData, recipe: Recipe, out: Path) -> Checkpoint:
    """Returns a run's last checkpoint with the recipe to continue by.

    The recipe may differ in `epochs`, `patience` and the choices of the calibration alone. With a
    cosine schedule, `epochs` has to stay because every learning rate depends on it.
    """
    epochs = last.recipe.epochs if recipe.schedule == "cosine" else recipe.epochs
    resumable = replace(
        last.recipe,
        epochs=epochs,
        patience=recipe.patience,
        class_threshold_from=recipe.class_threshold_from,
        calibration_folds=recipe.calibration_folds,
    )
    if differences := resumable.differences(recipe):
        raise _refusal(out, "of another recipe", "; ".join(differences))
    before, now = set(last.spec.labels), set(data.training.classes)
    if before != now:
        changes = {"without": sorted(before - now), "with": sorted(now - before)}
        named = [f"now {kind} {', '.join(labels)}" for kind, labels in changes.items() if labels]
        raise _refusal(out, "with other classes", "; ".join(named))
    return _on_same_data(replace(last, recipe=recipe), data, out)


def _on_same_data(last: Checkpoint, data: RunData, out: Path) -> Checkpoint:
    """Returns a checkpoint that goes on with the data at hand.

    Added videos are learned from in the epochs that are left. Other validation videos make earlier
    scores incomparable, so the best epoch is chosen again.

    Raises:
        OptionError: Training videos changed, or were added to a finished run.
    """
    change = data_change(last.training_data or data.training_digest, data.training_digest)
    if change.altered or (change.added and last.finished):
        more = ", --epochs with a larger number learns from the added videos by going on"
        raise _refusal(out, "on other data", f"{change}", "" if change.altered else more)
    if change.added:
        _log.warning(
            "videos added since are used only after epoch %d; --retrain starts over: %s",
            last.epoch,
            change.added,
        )
        last = replace(last, spec=_with_facts_of(data.training, last))
    if last.training_data is not None:
        last = _judged_by(data.validation_digest, last, out)
    return replace(last, training_data=data.training_digest, validation_data=data.validation_digest)


def _judged_by(validation: DataDigest | None, last: Checkpoint, out: Path) -> Checkpoint:
    """Returns a checkpoint whose best epoch is chosen by the validation videos at hand."""
    change = data_change(last.validation_data or {}, validation or {})
    if change and not last.finished:
        _log.warning(
            "the best epoch is chosen again after epoch %d, because validation videos changed: %s",
            last.epoch,
            change,
        )
        return replace(last, best_score=None, improved_epoch=last.epoch)
    if change and validation and last.validation_data:
        _log.warning(
            "%s was chosen by other validation videos: %s; --retrain or another --out chooses it "
            "again",
            out / BEST,
            change,
        )
    return last


def _with_facts_of(training: VideoSet, last: Checkpoint) -> ModelSpec:
    """Returns a checkpoint's spec with the facts that follow from these training videos."""
    facts = make_spec(training, last.recipe, last.spec.provenance.software)
    videos = facts.provenance.training_videos
    provenance = replace(last.spec.provenance, training_videos=videos)
    return replace(
        last.spec,
        snippet_s=facts.snippet_s,
        training_features=facts.training_features,
        provenance=provenance,
    )


def _refusal(out: Path, kind: str, changes: str, remedy: str = "") -> OptionError:
    return OptionError(
        f"{out} contains a run {kind} ({changes}); another --out keeps that run, "
        f"--retrain replaces it{remedy}"
    )
