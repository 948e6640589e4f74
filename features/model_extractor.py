"""The extractor that a model was trained with: a model understands no other features."""

import hashlib
from functools import lru_cache
from pathlib import Path

from features.extractors import open_extractor
from model.errors import InputError, ModelNotFoundError, OptionError
from model.spec import ExtractorIdentity


def find_extractor(wanted: ExtractorIdentity, folder: Path) -> str:
    """Returns the extractor of a model's spec as `open_extractor` takes it.

    Args:
        wanted: extractor that the spec names.
        folder: folder with the ONNX files of extractors.

    Raises:
        InputError: the model was trained on ready-made features.
        ModelNotFoundError: the extractor is absent, or present in another version only.
    """
    if wanted.name == "unknown":
        raise InputError(
            "this model was trained on ready-made features and cannot take videos; send features"
        )
    if wanted.sha256 is not None:
        return str(_file(wanted.name, wanted.sha256, folder))
    try:
        open_extractor(wanted.name)
    except OptionError as error:
        raise ModelNotFoundError(
            f"this model was trained with another version of an extractor: {error}; train it "
            "again, or use the version of this software that trained it"
        ) from None
    return wanted.name


def _file(name: str, sha256: str, folder: Path) -> Path:
    for path in sorted(folder.glob("*.onnx")):
        about = path.stat()
        if _sha256(path, about.st_mtime_ns, about.st_size) == sha256:
            return path
    raise ModelNotFoundError(
        f"this model was trained with the extractor {name}, sha256 {sha256}, and no .onnx file in "
        "the folder `extractors` has this hash; put it there"
    )


@lru_cache(maxsize=64)
def _sha256(path: Path, modified_ns: int, size: int) -> str:  # noqa: ARG001, so it is read again
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
