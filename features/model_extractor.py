"""The extractor that a model was trained with; the model needs features of this extractor."""

import threading
from functools import lru_cache
from pathlib import Path
from typing import Final

from features.extractors import JOINT, Extractor, open_extractor
from model.errors import InputError, ModelError, ModelNotFoundError, OptionError, SpecError
from model.spec import ExtractorIdentity, ModelSpec
from model.whole_file import sha256_of

MAX_ONNX_BYTES: Final = 2**31
"""No file of ONNX, which is one protobuf message, is longer. Longer files are not read."""
_hashing = threading.Lock()


def find_extractor(spec: ModelSpec, folder: Path) -> str:
    """Returns the name or file of a model's extractor, for `open_model_extractor`.

    Args:
        spec: spec of the model; names the extractor.
        folder: folder with the ONNX files of extractors.

    Raises:
        InputError: the model was trained on ready-made features, or has no snippet duration.
        ModelNotFoundError: the extractor, or one of those that are joined, is missing, or present
            in another version only.
        SpecError: ids and hashes of joined extractors do not match.
    """
    wanted = spec.extractor
    if wanted.name == "unknown":
        raise InputError(
            "this model was trained on ready-made features and cannot take videos; send features"
        )
    if spec.snippet_s is None:
        raise InputError(
            "this model has no snippet duration; train it on videos, or send features with "
            "duration_s"
        )
    return JOINT.join(_found(*member, folder) for member in _members(wanted))


def _members(wanted: ExtractorIdentity) -> list[tuple[str, str | None]]:
    """Returns id and SHA-256 of each extractor that is joined, or of the only one.

    Raises:
        SpecError: the numbers of ids and of hashes differ.
    """
    if wanted.sha256 is None or JOINT not in wanted.sha256:
        return [(wanted.name, wanted.sha256)]
    names, hashes = wanted.name.split(JOINT), wanted.sha256.split(JOINT)
    if len(names) != len(hashes):
        raise SpecError(f"expected a hash for each of the extractors {names}, got {hashes}")
    return [(name, sha256 or None) for name, sha256 in zip(names, hashes, strict=True)]


def _found(name: str, sha256: str | None, folder: Path) -> str:
    """Returns the name or file of one extractor."""
    if sha256 is not None:
        return str(_file(name, sha256, folder))
    try:
        open_extractor(name)
    except OptionError as error:
        raise ModelNotFoundError(
            f"this model was trained with another version of an extractor: {error}; train it "
            "again, or use the version of this software that it was trained with"
        ) from None
    return name


def open_model_extractor(name: str, wanted_id: str, *, threads: int) -> Extractor:
    """Returns the extractor that `find_extractor` found.

    Args:
        name: name or file of the extractor.
        wanted_id: id of the extractor in the spec of the model.
        threads: threads of the computation.

    Raises:
        ModelError: the extractor cannot be opened, or has another preprocessing.
    """
    extractor = open_extractor(name, threads=threads)
    if extractor.id != wanted_id:
        raise ModelError(
            f"the model was trained with the extractor {wanted_id}; the file with the same network "
            f"is {extractor.id}, which has another preprocessing"
        )
    return extractor


def _file(name: str, sha256: str, folder: Path) -> Path:
    with _hashing:  # several callers would hash the same files
        for path in sorted(folder.glob("*.onnx")):
            about = path.stat()
            if about.st_size > MAX_ONNX_BYTES or not path.is_file():
                continue
            if _sha256(path, about.st_mtime_ns, about.st_size) == sha256:
                return path
    raise ModelNotFoundError(
        f"this model was trained with the extractor {name}, sha256 {sha256}; no .onnx file in the "
        "folder `extractors` has this hash; put the file there"
    )


@lru_cache(maxsize=64)
def _sha256(path: Path, modified_ns: int, size: int) -> str:  # noqa: ARG001, a changed file is hashed again
    return sha256_of(path)
