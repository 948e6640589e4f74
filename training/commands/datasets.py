"""`ecm convert` and `ecm simulate`."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from training.commands.data import NO_DATA, Data
from training.commands.options import DATA, field_values, with_fields
from training.commands.run import video_bar
from training.datasets.conversion import write_native
from training.datasets.simulated import SimulationConfig, write_simulated


def convert(*, data: Data = NO_DATA, out: Annotated[Path, Parameter(group=DATA)]) -> None:
    """Writes a data set in the native layout.

    Args:
        data: the data set.
        out: Folder of the new data set.
    """
    videos = data.read()
    write_native(videos, out, progress=video_bar)
    print(f"{out}: {len(videos.videos)} videos, {len(videos.classes)} classes")
    print(f"next: ecm check --data {out}")


@with_fields(SimulationConfig)
def simulate(*, out: Annotated[Path, Parameter(group=DATA)], **options: Any) -> None:
    """Writes a simulated data set.

    Args:
        out: Folder of the data set.
        **options: fields of `SimulationConfig`.
    """
    annotations, features = write_simulated(out, SimulationConfig(**options))
    print(f"{annotations} and {features}")
    print(f"next: ecm fit --data {out} --preset demo --out runs/demo")


def shown_defaults(_: Sequence[str]) -> dict[str, Any]:
    """Returns the defaults of `simulate`."""
    return field_values(SimulationConfig())
