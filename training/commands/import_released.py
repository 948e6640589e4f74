"""`ecm import-released`."""

from pathlib import Path

from model.errors import DataError
from training.checkpoint import LAST, save_checkpoint
from training.commands.presets import PresetName
from training.commands.run import software
from training.configuration.presets import preset as named_recipe
from training.released_checkpoint import import_released as read_released


def import_released(released: Path, /, *, preset: PresetName, labels: Path, out: Path) -> None:
    """Writes a checkpoint of the released ECM code as a run.

    Args:
        released: Checkpoint of the released code (.pth).
        preset: Recipe with which the checkpoint was trained, one of `ecm presets`.
        labels: Text file with one class a line, in the order of the network's output.
        out: Folder of the run.

    Raises:
        DataError: the run exists.
    """
    if (out / LAST).exists():
        raise DataError(f"{out / LAST} exists already; choose another --out")
    classes = [line.strip() for line in labels.read_text().splitlines() if line.strip()]
    checkpoint = read_released(released, classes, named_recipe(preset), software())
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(checkpoint, out / LAST)
    print(out / LAST)
    print(f"next: ecm export {out} --name {preset}")
