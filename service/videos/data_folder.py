"""Folder in which the service stores files.

DATA/videos/        videos of finished jobs by the id of the job; see kept_videos.py
DATA/activations/   class activation sequences of answers; see localize/activations.py
DATA/tickets.key    secret of the tickets for the media of a job; see http/tickets.py
DATA/jobs/ID/       video, stored chunks of features and borders of an unfinished job
DATA/incoming/      incomplete uploads, each locked by the process that receives it
DATA/features/      features of finished videos; see feature_cache.py
DATA/features.lock  lock of the process that writes to features/
DATA/submit.lock    lock of the process that submits a job or removes abandoned files
DATA/workers/       locks of worker processes; see worker_slot.py
DATA/jobs.sqlite    job database, unless the setting database_url names another one
"""

import errno
import fcntl
import os
import secrets
import shutil
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from model.errors import OptionError
from model.whole_file import whole_file

DOWNLOAD = "fetched"
"""Name of a downloaded video in the folder of its job."""
_SECRET_BYTES = 32
ABANDONED_S = 24 * 3600.0
"""Age at which files without a job are removed; long, because uploads may be slow."""


class DataFolder:
    """Paths below the folder of the setting `data`."""

    def __init__(self, root: Path) -> None:
        """Creates the folder.

        Raises:
            OptionError: the folder cannot be created or written.
        """
        self._root = root.absolute()
        try:
            for path in self._folders():
                path.mkdir(parents=True, exist_ok=True)
                if not os.access(path, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "no permission to write", path)
        except OSError as error:
            raise OptionError(
                f"the data folder {root} cannot be used: {error.strerror}; set data (--data or "
                "ECM_DATA) to one that this process may write"
            ) from error

    @property
    def _jobs(self) -> Path:
        return self._root / "jobs"

    def _folders(self) -> tuple[Path, ...]:
        names = ("jobs", "incoming", "features", "videos", "workers")
        return tuple(self._root / name for name in names)

    @property
    def incoming(self) -> Path:
        """Folder of incomplete uploads."""
        return self._root / "incoming"

    @property
    def features(self) -> Path:
        """Folder of the feature cache."""
        return self._root / "features"

    @property
    def videos(self) -> Path:
        """Folder of the videos of finished jobs."""
        return self._root / "videos"

    @property
    def workers(self) -> Path:
        """Folder of the workers' locks."""
        return self._root / "workers"

    @property
    def database_url(self) -> str:
        """URL of the SQLite database, used if no other is set.

        Raises:
            OptionError: the path has a question mark, where the URL would end.
        """
        if "?" in str(self._root):
            raise OptionError(
                f"the data folder {self._root} has a '?' in its path, which the URL of the SQLite "
                "database cannot have; set data (--data or ECM_DATA) to another, or set "
                "database_url"
            )
        return f"sqlite:///{self._root / 'jobs.sqlite'}"

    def job(self, job_id: str) -> Path:
        """Returns the folder of a job, and creates it if needed."""
        path = self._jobs / job_id
        path.mkdir(exist_ok=True)
        return path

    def upload(self, job_id: str, sha256: str) -> Path:
        """Returns the path of a job's uploaded video."""
        # By hash, because requests with one key may upload different videos at once.
        folder = self.job(job_id) / sha256
        folder.mkdir(exist_ok=True)
        return folder / "upload"

    def received_video(self, job_id: str) -> Path | None:
        """Returns the file that an unfinished job uploaded or downloaded, or None."""
        folder = self._jobs / job_id
        found = (*folder.glob("*/upload"), folder / DOWNLOAD)
        return next((path for path in found if path.is_file()), None)

    def remove_job(self, job_id: str) -> None:
        """Removes all files of a job."""
        shutil.rmtree(self._jobs / job_id, ignore_errors=True)

    def job_ids(self) -> list[str]:
        """Returns the ids of the jobs that have a folder."""
        return [path.name for path in self._jobs.iterdir()]

    @contextmanager
    def submitting(self) -> Iterator[None]:
        """Excludes all other processes and threads that submit jobs or remove abandoned files."""
        with (self._root / "submit.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def ticket_secret(self) -> bytes:
        """Returns the secret of the tickets, which all processes share; the first one makes it."""
        path = self._root / "tickets.key"
        with self.submitting():
            if not path.exists():
                with whole_file(path) as file:
                    os.fchmod(file.fileno(), 0o600)
                    file.write(secrets.token_bytes(_SECRET_BYTES))
            return path.read_bytes()

    def is_intact(self) -> bool:
        """Returns whether all folders exist; somebody may have removed or unmounted them."""
        return all(path.is_dir() for path in self._folders())

    def remove_abandoned(self, job_ids: Collection[str]) -> None:
        """Removes old files of other jobs than these; their processes were killed.

        An upload that a process still receives is kept, however old the clock makes it.
        """
        before_s = time.time() - ABANDONED_S
        for folder in (self._jobs, self.incoming):
            for path in folder.iterdir():
                if path.name in job_ids or path.stat().st_mtime > before_s:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                elif not _is_locked(path):
                    path.unlink(missing_ok=True)


def _is_locked(path: Path) -> bool:
    """Returns whether a process holds the lock of a file."""
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
