"""`ecm plot`."""

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

from model.errors import DataError
from model.localization.localize import LocalizationConfig
from training.checkpoint import load_checkpoint
from training.commands.data import NO_DATA, Data
from training.commands.evaluate import TRAINING_ONLY
from training.commands.options import RUN, with_fields
from training.commands.run import changed_spec, torch_engine
from training.configuration.recipe import Recipe
from training.measurement.evaluation import predict
from training.report.plot import plot_video


@with_fields(Recipe, LocalizationConfig, leave_out=TRAINING_ONLY)
def plot(
    run: Path,
    /,
    *,
    data: Data = NO_DATA,
    video: Annotated[str, Parameter(group=RUN)],
    out: Annotated[Path, Parameter(group=RUN)],
    **options: Any,
) -> None:
    """Draws the class activation sequence of a video above its segments.

    Args:
        run: Folder of a run, which stands for its last.pt, or a .pt file.
        data: the data set.
        video: Id of the video.
        out: Image to write: .png, .svg or .pdf.
        **options: sampling and localization, where they differ from those of the run.

    Raises:
        DataError: the data set has no such video.
    """
    checkpoint = load_checkpoint(run)
    videos = data.read()
    chosen = [record for record in videos.videos if record.id == video]
    if not chosen:
        raise DataError(f"no video {video!r} with features in {videos.source}")
    spec = changed_spec(checkpoint, options)
    ((record, result),) = predict(torch_engine(checkpoint, "cpu"), spec, chosen)
    plot_video(record.id, result, spec.labels, out, truth=record.instances)
    print(out)
