"""The folders of `video_roots` as people browse them: folders and videos, nothing else."""

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Final, Literal

from service.references.errors import UnknownFolderError
from service.references.rules import is_below

MOST_ENTRIES: Final = 2000
_MOST_READ: Final = 20_000
"""Names of one folder that are looked at."""
_SUFFIXES: Final = frozenset((
    ".3gp", ".asf", ".avi", ".flv", ".gif", ".h264", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4",
    ".mpeg", ".mpg", ".mts", ".mxf", ".ogg", ".ogv", ".ts", ".vob", ".webm", ".wmv",
))  # fmt: skip
"""Endings of the names of videos."""


@dataclass(frozen=True, slots=True)
class FolderEntry:
    """A folder or a video."""

    path: Path
    """Absolute path."""
    kind: Literal["folder", "video"]
    """Kind of the entry."""
    size_bytes: int | None
    """Size of a video."""


def list_folder(text: str, roots: tuple[Path, ...]) -> tuple[list[FolderEntry], bool]:
    """Returns the entries of a folder, folders first, and whether some were left out.

    Args:
        text: absolute path of the folder; empty for the roots themselves.
        roots: folders below which files may be named.

    Raises:
        UnknownFolderError: there is no such folder below the roots.
    """
    resolved = [root.resolve() for root in roots]
    if not text:
        found = [FolderEntry(root.absolute(), "folder", None) for root in roots if root.is_dir()]
        return found, False
    folder = _folder(text, roots, resolved)
    try:
        with os.scandir(folder) as names:
            seen = list(islice(names, _MOST_READ + 1))
    except OSError as error:
        raise UnknownFolderError(f"the folder {text!r} cannot be read") from error
    entries = [entry for name in seen[:_MOST_READ] for entry in _entry(name, resolved)]
    entries.sort(key=lambda entry: (entry.kind != "folder", entry.path.name.casefold()))
    return entries[:MOST_ENTRIES], len(seen) > _MOST_READ or len(entries) > MOST_ENTRIES


def _folder(text: str, roots: tuple[Path, ...], resolved: list[Path]) -> Path:
    """Returns the folder that a text names; never touches the disk outside the roots."""
    named = Path(text)
    is_plain = "\0" not in text and ".." not in named.parts
    if is_plain and is_below(named, [*resolved, *(root.absolute() for root in roots)]):
        folder = Path(os.path.realpath(named))
        with suppress(OSError):  # the name is too long, or may not be looked at
            if is_below(folder, resolved) and folder.is_dir():
                return named
    raise UnknownFolderError("there is no such folder below the allowed ones")


def _entry(found: os.DirEntry[str], resolved: list[Path]) -> Iterator[FolderEntry]:
    """Yields the entry of a name, unless it is hidden, of another kind, or a link to outside."""
    path = Path(found.path)
    is_text = found.name.isprintable() and not found.name.startswith(".")
    try:
        if not is_text or (found.is_symlink() and not is_below(path.resolve(), resolved)):
            return
        if found.is_dir():
            yield FolderEntry(path, "folder", None)
        elif found.is_file() and path.suffix.lower() in _SUFFIXES:
            yield FolderEntry(path, "video", found.stat().st_size)
    except OSError:  # a broken link, or removed meanwhile
        return
