"""`ecm export`."""

from dataclasses import replace
from pathlib import Path

from model.export import write_onnx
from model.repository import publish
from model.spec import Precision
from training.checkpoint import load_checkpoint
from training.commands.options import Flag


def export(
    run: Path,
    /,
    *,
    name: str,
    repository: Path = Path("models"),
    version: int | None = None,
    half: Flag = False,
) -> None:
    """Writes the network of a run to a model repository.

    Args:
        run: Folder of a run, which stands for its last.pt, or a .pt file.
        name: Name of the model.
        repository: Folder of the models.
        version: Version of the model; the next free one if not given.
        half: Write float16 weights: half as large, for a GPU; slower on a CPU.
    """
    checkpoint = load_checkpoint(run)
    network = checkpoint.network()
    precision: Precision = "float16" if half else "float32"
    spec = replace(checkpoint.spec, precision=precision)
    published = publish(
        repository, name, lambda path: write_onnx(network, spec, path), version=version
    )
    print(published.path)
    print(f"next: ecm localize FILE --model {repository / name}, or "
          f"ecm serve --repository {repository}")  # fmt: skip
