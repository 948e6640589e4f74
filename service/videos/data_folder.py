"""What the service keeps on its disk.

DATA/jobs/ID/    what a job needs while it lasts: its video, and its features as far as they are
DATA/incoming/   uploads that are not whole yet
DATA/features/   features of videos that were done; see feature_cache.py
DATA/features.lock held by who writes there
DATA/workers/    locks of the processes that work on jobs; see worker_slot.py
DATA/jobs.sqlite the jobs themselves, where no other database is named
"""

import errno
import os
import shutil
import time
from collections.abc import Collection
from pathlib import Path

from model.errors import OptionError

ABANDONED_S = 24 * 3600.0
"""What belongs to no job is removed once it is so old: uploads take their time."""


class DataFolder:
    """The paths below the folder that the settings name."""

    def __init__(self, root: Path) -> None:
        """Makes the folder.

        Raises:
            OptionError: it cannot be made, or not be written.
        """
        self._root = root.absolute()
        try:
            for path in (self._jobs, self.incoming, self.features, self.workers):
                path.mkdir(parents=True, exist_ok=True)
                if not os.access(path, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "it may not be written", path)
        except OSError as error:
            raise OptionError(
                f"the data folder {root} cannot be used: {error.strerror}; set data (--data or "
                "ECM_DATA) to one that this process may write"
            ) from error

    @property
    def _jobs(self) -> Path:
        return self._root / "jobs"

    @property
    def incoming(self) -> Path:
        """Uploads on their way."""
        return self._root / "incoming"

    @property
    def features(self) -> Path:
        """Features of whole videos."""
        return self._root / "features"

    @property
    def workers(self) -> Path:
        """Locks of workers."""
        return self._root / "workers"

    @property
    def database_url(self) -> str:
        """A SQLite database, for where there is no other."""
        return f"sqlite:///{self._root / 'jobs.sqlite'}"

    def job(self, job_id: str) -> Path:
        """The folder of a job, made if it is not there."""
        path = self._jobs / job_id
        path.mkdir(exist_ok=True)
        return path

    def upload(self, job_id: str, sha256: str) -> Path:
        """Where a job's uploaded video is, or goes to."""
        folder = self.job(job_id) / sha256  # with one key, others may upload another at once
        folder.mkdir(exist_ok=True)
        return folder / "upload"

    def remove_job(self, job_id: str) -> None:
        """Removes all that a job left, if it left anything."""
        shutil.rmtree(self._jobs / job_id, ignore_errors=True)

    def job_ids(self) -> list[str]:
        """The jobs that have a folder."""
        return [path.name for path in self._jobs.iterdir()]

    def remove_abandoned(self, alive: Collection[str]) -> None:
        """Removes what is old and belongs to no job of these: its process was killed."""
        before = time.time() - ABANDONED_S
        for folder in (self._jobs, self.incoming):
            for path in folder.iterdir():
                if path.name in alive or path.stat().st_mtime > before:
                    continue
                if path.is_dir():
                    shutil.rmtree(path, ignore_errors=True)
                else:
                    path.unlink(missing_ok=True)
