"""`ecm suggest`."""

import csv
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from cyclopts import Parameter

from model.errors import OptionError
from training.checkpoint import find_checkpoint, load_checkpoint
from training.commands.data import NO_DATA, Data
from training.commands.options import DATA, RUN, Device
from training.commands.run import torch_engine
from training.measurement.evaluation import require_extractor
from training.measurement.suggestion import Suggestion, suggestions

Format: TypeAlias = Literal["table", "json", "csv"]


def suggest(
    run: Path,
    /,
    *,
    data: Data = NO_DATA,
    subset: Annotated[str, Parameter(group=DATA)] = "training",
    count: Annotated[int, Parameter(group=RUN)] = 10,
    as_format: Annotated[Format, Parameter(name="--format", group=RUN)] = "table",
    device: Device = "auto",
) -> None:
    """Lists the videos to correct next, those with the most uncertain times first.

    Videos whose times are all known, and videos without a tag, are left out.

    Args:
        run: Folder of a run, which stands for its last.pt, or a .pt file.
        data: the data set.
        subset: Subset to choose from.
        count: Number of videos to list.
        as_format: Form of the list.
        device: Device that runs the network; auto is a GPU if there is one.
    """
    if count < 1:
        raise OptionError(f"expected a count of at least 1, not {count}")
    checkpoint = load_checkpoint(find_checkpoint(run))
    videos = data.read().subset(subset)
    require_extractor(checkpoint.spec, videos)
    engine = torch_engine(checkpoint, device)
    found = suggestions(engine, checkpoint.spec, videos.videos)
    _PRINT[as_format](found[:count])
    if as_format == "table":
        print(f"{min(count, len(found))} of {len(found)} videos whose times are not known")


def _print_table(found: Sequence[Suggestion]) -> None:
    width = max((len(one.video) for one in found), default=5)
    for one in found:
        print(f"{one.video:{width}}  {one.uncertainty:.2f}  {one.reason}")


def _print_json(found: Sequence[Suggestion]) -> None:
    print(json.dumps([asdict(one) for one in found], indent=1, ensure_ascii=False))


def _print_csv(found: Sequence[Suggestion]) -> None:
    columns = [field.name for field in fields(Suggestion)]
    writer = csv.DictWriter(sys.stdout, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(one) for one in found)


_PRINT = {"table": _print_table, "json": _print_json, "csv": _print_csv}
