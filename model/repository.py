"""The model repository: a folder of models in versions.

    models/thumos14/1/model.onnx          the network with its spec inside
    models/thumos14/1/model.int8.onnx     the same network in int8, if it was exported
    models/thumos14/1/*.onnx.sha256       their SHA-256, in the format of `sha256sum`

Versions are whole numbers from 1 with at most 15 digits, which JSON numbers hold exactly. Triton
reads the same layout.
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from model.errors import IntegrityError, OptionError
from model.whole_file import read_regular, sha256_of

MODEL_FILE = "model.onnx"
INT8_FILE = "model.int8.onnx"
_MAX_BYTES = 2 * 1024**3
"""Largest ONNX file: the limit of its format."""
_MAX_HASH_BYTES = 4096
_MAX_DIGITS = 15
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One version of a model in a repository."""

    name: str
    """Name of the model: letters, digits, dot, dash and underscore."""
    version: int
    """Version of the model; a larger number is newer."""
    path: Path
    """The ONNX file, which may be absent or damaged."""

    @property
    def int8(self) -> "PublishedModel":
        """The same version in int8, whose file may be absent."""
        return replace(self, path=self.path.with_name(INT8_FILE))

    def read(self) -> tuple[bytes, str]:
        """Returns the bytes of the file and their SHA-256.

        The bytes are read once, so the caller uses exactly those that were checked. A model without
        a recorded hash is not checked.

        Raises:
            IntegrityError: the file cannot be read, its hash is not the recorded one, or the
                version has too many digits.
        """
        if len(str(self.version)) > _MAX_DIGITS:
            raise IntegrityError(
                f"expected a version of at most {_MAX_DIGITS} digits, got {self.version}; rename "
                "its folder"
            )
        try:
            content = read_regular(self.path, max_bytes=_MAX_BYTES)
        except OSError as error:
            raise IntegrityError(f"{self.path} cannot be read: {error.strerror}") from error
        sha256 = sha256_of(content)
        recorded = self._recorded_sha256()
        if recorded not in (None, sha256):
            raise IntegrityError(
                f"{self.path} has SHA-256 {sha256}, expected {recorded}; export the model again"
            )
        return content, sha256

    def _recorded_sha256(self) -> str | None:
        try:
            text = read_regular(hash_file(self.path), max_bytes=_MAX_HASH_BYTES).decode()
            return text.split()[0].lower()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise IntegrityError(f"{hash_file(self.path)} contains no hash: {error}") from error


def list_names(repository: Path) -> list[str]:
    """Returns the names of all models in order; none without a folder.

    Raises:
        OSError: the folder cannot be read.
    """
    if not repository.is_dir():
        return []
    return sorted(folder.name for folder in repository.iterdir() if _NAME.fullmatch(folder.name))


def list_models(repository: Path) -> list[PublishedModel]:
    """Returns all versions of all models, sorted by name and version; none without a folder.

    Raises:
        OSError: a folder cannot be read.
    """
    return [model for name in list_names(repository) for model in list_versions(repository / name)]


def list_versions(folder: Path) -> list[PublishedModel]:
    """Returns every version of the model in a folder, oldest first; none if it is no folder.

    Raises:
        OSError: the folder cannot be read.
    """
    if not folder.is_dir():
        return []
    versions = (
        PublishedModel(folder.name, int(version.name), version / MODEL_FILE)
        for version in folder.iterdir()
        if _VERSION.fullmatch(version.name) and _may_be_folder(version)
    )
    return sorted(versions, key=lambda model: model.version)


def _may_be_folder(path: Path) -> bool:
    """Returns whether a path is a folder or cannot be examined; reading it then gives a reason."""
    try:
        return path.is_dir()
    except OSError:
        return True


def publish(
    repository: Path, name: str, write: Callable[[Path], None], *, version: int | None = None
) -> PublishedModel:
    """Publishes the model that `write` writes, completely or not at all, and returns it.

    Args:
        repository: the folder; created if absent.
        name: letters, digits, dot, dash and underscore.
        write: writes the ONNX file to the path that it is called with, and other precisions of the
            network beside it.
        version: the version; the next free number if not given.

    Raises:
        OptionError: the name or version is invalid, or the version exists already.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(
            f"expected a model name of letters, digits, '.', '-' and '_', got {name!r}"
        )
    if version is not None and version < 1:
        raise OptionError(f"expected a whole number from 1 as version, got {version}")
    if version is not None and len(str(version)) > _MAX_DIGITS:
        raise OptionError(f"expected a version of at most {_MAX_DIGITS} digits, got {version}")
    folder = repository / name
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        write(partial / MODEL_FILE)
        for path in partial.glob("*.onnx"):
            _record_hash(path)
        partial.chmod(0o755)  # private after mkdtemp; the service may run as another user
        versions = [model.version for model in list_versions(folder)]
        counted = [number for number in versions if len(str(number)) <= _MAX_DIGITS]
        number = version or max(counted, default=0) + 1
        if number in versions:
            raise OptionError(f"{folder / str(number)} exists already, and versions never change")
        partial.rename(folder / str(number))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return PublishedModel(name, number, folder / str(number) / MODEL_FILE)


def _record_hash(path: Path) -> None:
    hash_file(path).write_text(f"{sha256_of(path)}  {path.name}\n")


def hash_file(path: Path) -> Path:
    """Returns the file with the SHA-256 of a model file."""
    return path.with_name(path.name + ".sha256")
