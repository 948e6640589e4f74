"""`ecm export-triton`."""

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from service.inference_protocol.triton_config import write_configs


def export_triton(
    repository: Path, /, *, force: Annotated[bool, Parameter(negative="")] = False
) -> int:
    """Writes the configuration files that Triton needs and returns the exit status.

    Args:
        repository: Folder with NAME/VERSION/model.onnx.
        force: Overwrite files that differ.
    """
    failed = 0
    for written in write_configs(repository, force=force):
        if isinstance(written, Path):
            print(written)
        else:
            failed += 1
            print(f"error: {written}", file=sys.stderr)
    return 1 if failed else 0
