"""The operator's folder of corrections: one annotations file in ActivityNet's format.

`ecm fit --corrections` takes it as it is. Several processes may write to it: they hold a lock while
they read the file, change one entry, and replace the file as a whole.
"""

import fcntl
import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from model.whole_file import read_regular, whole_file
from service.errors import CorrectionsUnavailableError

FILE: Final = "annotations.json"
_SAVED: Final = "saved"
"""Key of an entry with the time at which it was saved; `ecm fit` ignores it."""
_MAX_BYTES: Final = 256 * 1024**2


@dataclass(frozen=True, slots=True)
class SavedEntry:
    """Entry of one video."""

    entry: dict[str, Any]
    """`duration`, `subset`, `annotations` and `tags`."""
    saved: datetime | None
    """Time at which it was saved; None where somebody wrote it by hand."""

    @property
    def etag(self) -> str:
        """The ETag of the entry, which changes with its content and its time."""
        text = json.dumps([self.entry, str(self.saved)], sort_keys=True)
        return f'"{hashlib.sha256(text.encode()).hexdigest()[:32]}"'


class CorrectionsFile:
    """Reads and replaces the entries of single videos."""

    def __init__(self, folder: Path) -> None:
        """Takes the folder, which the first correction creates."""
        self._path = folder / FILE

    def find(self, video_id: str) -> SavedEntry | None:
        """Returns the entry of a video, or None.

        Raises:
            CorrectionsUnavailableError: the file cannot be read.
        """
        with _available():
            return _entry_of(self._database(), video_id)

    def save(
        self, video_id: str, entry: dict[str, Any], check: Callable[[SavedEntry | None], None]
    ) -> SavedEntry:
        """Replaces the entry of a video and returns it.

        Args:
            video_id: id of the video.
            entry: the new entry.
            check: gets the present entry; an error that it raises leaves the file unchanged.

        Raises:
            CorrectionsUnavailableError: the file cannot be read or written.
        """
        with _available(), self._locked():
            database = self._database()
            check(_entry_of(database, video_id))
            saved = datetime.now(UTC)
            database[video_id] = entry | {_SAVED: saved.isoformat()}
            with whole_file(self._path) as file:
                file.write(json.dumps({"database": database}, indent=1).encode())
        return SavedEntry(entry, saved)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.with_suffix(".lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _database(self) -> dict[str, Any]:
        try:
            content = json.loads(read_regular(self._path, max_bytes=_MAX_BYTES))
        except FileNotFoundError:
            return {}
        database = content.get("database") if isinstance(content, dict) else None
        if not isinstance(database, dict):
            raise ValueError('"database" is missing')
        return database


def _entry_of(database: dict[str, Any], video_id: str) -> SavedEntry | None:
    found = database.get(video_id)
    if not isinstance(found, dict):
        return None
    entry = dict(found)
    try:
        saved = datetime.fromisoformat(entry.pop(_SAVED))
    except (KeyError, TypeError, ValueError):
        saved = None
    return SavedEntry(entry, saved)


@contextmanager
def _available() -> Iterator[None]:
    """Converts errors of the file.

    Raises:
        CorrectionsUnavailableError: the file cannot be read or written, or is not JSON.
    """
    try:
        yield
    except OSError as error:
        raise CorrectionsUnavailableError(
            f"the service cannot use its folder of corrections: {error.strerror}"
        ) from error
    except (ValueError, RecursionError) as error:
        raise CorrectionsUnavailableError(
            f"the service's file {FILE} is not in ActivityNet's format; mend it or move it away"
        ) from error
