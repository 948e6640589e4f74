"""`ecm export`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from model.errors import OptionError
from model.export import write_onnx
from model.network import Ecm
from model.repository import INT8_FILE, publish
from model.spec import ModelSpec, Precision
from training.checkpoint import Checkpoint, load_checkpoint
from training.commands.data import NO_DATA, Data
from training.commands.evaluate import measured_subset
from training.commands.options import RUN, Flag
from training.commands.run import progress_bar
from training.datasets.video_record import VideoSet
from training.int8_export import write_int8
from training.measurement.evaluation import require_extractor


def export(
    run: Path,
    /,
    *,
    name: Annotated[str, Parameter(group=RUN)],
    repository: Annotated[Path, Parameter(group=RUN)] = Path("models"),
    version: Annotated[int | None, Parameter(group=RUN)] = None,
    half: Annotated[Flag, Parameter(group=RUN)] = False,
    int8: Annotated[Flag, Parameter(group=RUN)] = False,
    int8_weights: Annotated[Literal[7, 8], Parameter(group=RUN)] = 8,
    data: Data = NO_DATA,
) -> None:
    """Writes the network of a run to a model repository.

    With --int8 the version has a second file, which a CPU runs several times as fast. Its ranges
    come from training videos, and other videos of the data set show whether it localizes as well.

    Args:
        run: Folder of a run, which stands for its last.pt, or a .pt file.
        name: Name of the model.
        repository: Folder of the models.
        version: Version of the model; the next free one if not given.
        half: Write float16 weights: half as large, for a GPU; slower on a CPU.
        int8: Write the network in int8 as well; needs the data set of the training.
        int8_weights: Bits of the weights; 7 for CPUs without VNNI instructions.
        data: the data set, for --int8.
    """
    if int8 and half:
        raise OptionError("expected --half for a GPU or --int8 for a CPU, got both")
    checkpoint = load_checkpoint(run)
    network = checkpoint.network()
    precision: Precision = "float16" if half else "float32"
    spec = replace(checkpoint.spec, precision=precision)
    sets = _int8_videos(checkpoint, data) if int8 else None

    def write(path: Path) -> None:
        write_onnx(network, spec, path)
        if sets:
            _write_int8(network, spec, path, sets, int8_weights)

    published = publish(repository, name, write, version=version)
    print(published.path)
    print(f"next: ecm localize FILE --model {repository / name}, or "
          f"ecm serve --repository {repository}")  # fmt: skip


def _write_int8(
    network: Ecm, spec: ModelSpec, exact: Path, sets: tuple[VideoSet, VideoSet], weight_bits: int
) -> None:
    calibration, judged = sets
    figures = write_int8(
        network, spec, exact, exact.with_name(INT8_FILE), calibration=calibration, judged=judged,
        weight_bits=weight_bits, progress=progress_bar(len(judged.videos)),
    )  # fmt: skip
    print(f"int8 on {figures}")


def _int8_videos(checkpoint: Checkpoint, data: Data) -> tuple[VideoSet, VideoSet]:
    """Returns the videos to calibrate on, and those to compare on: held out, if there are any.

    Raises:
        DataError: the features are of another extractor.
    """
    videos = data.read()
    require_extractor(checkpoint.spec, videos)
    subsets = {video.subset for video in videos.videos}
    training = videos.subset("training" if "training" in subsets else sorted(subsets)[0])
    if len(subsets) > 1:
        return training, videos.subset(measured_subset(videos))
    if len(training.videos) < 2:
        raise OptionError("--int8 needs at least two videos: to calibrate on, and to compare on")
    half = len(training.videos) // 2
    return (replace(training, videos=training.videos[:half]),
            replace(training, videos=training.videos[half:]))  # fmt: skip
