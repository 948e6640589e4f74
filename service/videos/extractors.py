"""Finds the extractor that a model was trained with; a model needs the features of that one."""

from functools import lru_cache
from pathlib import Path

from features.extractors import open_extractor
from model.errors import OptionError
from model.spec import ModelSpec
from model.whole_file import sha256_of
from service.errors import ExtractorUnavailableError, UnusableInputError


def extractor_of(spec: ModelSpec, folder: Path) -> str:
    """Returns the name or file of a model's extractor, for `open_extractor`.

    Args:
        spec: the model's spec.
        folder: folder with the ONNX files of extractors.

    Raises:
        UnusableInputError: the model was trained on ready-made features.
        ExtractorUnavailableError: the extractor is missing, or present in another version only.
    """
    extractor = spec.extractor
    if extractor.name == "unknown":
        raise UnusableInputError(
            "this model was trained on ready-made features and cannot take videos; send features"
        )
    if extractor.sha256 is not None:
        return str(_file(extractor.name, extractor.sha256, folder))
    try:
        open_extractor(extractor.name)
    except OptionError as error:
        raise ExtractorUnavailableError(
            f"this model was trained with another version of an extractor: {error}; train it "
            "again, or serve it with the version of this software that it was trained with"
        ) from None
    return extractor.name


def _file(name: str, sha256: str, folder: Path) -> Path:
    for path in sorted(folder.glob("*.onnx")):
        about = path.stat()
        if _sha256(path, about.st_mtime_ns, about.st_size) == sha256:
            return path
    raise ExtractorUnavailableError(
        f"this model was trained with the extractor {name}, sha256 {sha256}; no .onnx file in the "
        "folder of the setting `extractors` has this hash; put the file there"
    )


@lru_cache(maxsize=64)
def _sha256(path: Path, modified_ns: int, size: int) -> str:  # noqa: ARG001, so it is read again
    return sha256_of(path)
