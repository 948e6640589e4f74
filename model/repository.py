"""The model repository: a folder that holds models/NAME/VERSION/model.onnx.

    models/thumos14/1/model.onnx          the network with its spec inside
    models/thumos14/1/model.onnx.sha256   its hash, as `sha256sum` writes it

Versions are whole numbers. This is the layout that Triton reads, too.
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from model.errors import IntegrityError, OptionError
from model.whole_file import sha256_of

MODEL_FILE = "model.onnx"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_VERSION = re.compile(r"[1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class PublishedModel:
    """One version of one model in a repository."""

    name: str
    """Name of the model."""
    version: int
    """Its version; larger is newer."""
    path: Path
    """Its ONNX file, which may be absent or damaged."""

    def read(self) -> tuple[bytes, str]:
        """Returns the file's bytes and their SHA-256, so that what was checked is what is used.

        A model without a recorded hash is taken as it is.

        Raises:
            IntegrityError: the file is absent or unreadable, or its hash is not the recorded one.
        """
        try:
            content = self.path.read_bytes()
        except OSError as error:
            raise IntegrityError(f"{self.path} cannot be read: {error.strerror}") from error
        sha256 = sha256_of(content)
        recorded = self._recorded_sha256()
        if recorded not in (None, sha256):
            raise IntegrityError(
                f"{self.path} has SHA-256 {sha256}, published was {recorded}; export it again"
            )
        return content, sha256

    def _recorded_sha256(self) -> str | None:
        try:
            return _hash_file(self.path).read_text().split()[0].lower()
        except FileNotFoundError:
            return None
        except (OSError, UnicodeDecodeError, IndexError) as error:
            raise IntegrityError(f"{_hash_file(self.path)} holds no hash: {error}") from error


def list_models(repository: Path) -> list[PublishedModel]:
    """Returns every version of every model, by name, then by version."""
    if not repository.is_dir():
        return []
    names = sorted(folder for folder in repository.iterdir() if _NAME.fullmatch(folder.name))
    return [model for folder in names for model in list_versions(folder)]


def list_versions(folder: Path) -> list[PublishedModel]:
    """Returns every version of the model in a folder, oldest first; none if it is no folder."""
    if not folder.is_dir():
        return []
    versions = (
        PublishedModel(folder.name, int(version.name), version / MODEL_FILE)
        for version in folder.iterdir()
        if version.is_dir() and _VERSION.fullmatch(version.name)
    )
    return sorted(versions, key=lambda model: model.version)


def publish(
    repository: Path, name: str, write: Callable[[Path], None], *, version: int | None = None
) -> PublishedModel:
    """Returns the model that `write` writes to a path, put in place as a whole or not at all.

    Args:
        repository: created if need be.
        name: letters, digits, dot, dash and underscore.
        write: called with the path that the ONNX file is to have.
        version: the next free one if not given.

    Raises:
        OptionError: the name or version cannot be used, or the version is there already.
    """
    if not _NAME.fullmatch(name):
        raise OptionError(f"a model's name has letters, digits, '.', '-' and '_', not {name!r}")
    if version is not None and version < 1:
        raise OptionError(f"a model's version is a whole number from 1, not {version}")
    folder = repository / name
    folder.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=".partial-", dir=folder))
    try:
        write(partial / MODEL_FILE)
        _record_hash(partial / MODEL_FILE)
        partial.chmod(0o755)  # mkdtemp makes it private; the service may run as another user
        versions = [model.version for model in list_versions(folder)]
        number = version or max(versions, default=0) + 1
        if number in versions:
            raise OptionError(f"{folder / str(number)} is there already; versions never change")
        partial.rename(folder / str(number))
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return PublishedModel(name, number, folder / str(number) / MODEL_FILE)


def _record_hash(path: Path) -> None:
    _hash_file(path).write_text(f"{sha256_of(path)}  {path.name}\n")


def _hash_file(path: Path) -> Path:
    return path.with_name(path.name + ".sha256")
