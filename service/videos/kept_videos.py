"""Videos of finished jobs, kept as long as their disk space suffices; the oldest go first.

A use does not make a video younger, because jobs recognize by its time whether it changed.
"""

import logging
import os
from pathlib import Path

from service.bounded_folder import BoundedFolder
from service.videos.data_folder import DataFolder

_log = logging.getLogger(__name__)


class KeptVideos:
    """Uploads and downloads of finished jobs, by the id of the job."""

    def __init__(self, data: DataFolder, max_bytes: int) -> None:
        """Takes the data folder and the most bytes of all kept videos; 0 keeps none."""
        self._data = data
        self._folder = BoundedFolder(data.videos, max_bytes)

    def finish(self, job_id: str, *, keep: bool) -> None:
        """Removes all files of a job; with `keep`, its video is moved here first."""
        video = self._data.received_video(job_id)
        if keep and video:
            try:
                size = video.stat().st_size
                if size <= self._folder.max_bytes:
                    with self._folder.room(size):
                        os.utime(video)
                        video.replace(self._path(job_id))
            except OSError as error:
                _log.warning("the video of job %s is not kept: %s", job_id, error)
        self._data.remove_job(job_id)

    def find(self, job_id: str) -> Path | None:
        """Returns a job's video, or None if it is not kept."""
        path = self._path(job_id)
        return path if path.is_file() else None

    def remove(self, job_id: str) -> None:
        """Removes a job's video if it is kept."""
        self._path(job_id).unlink(missing_ok=True)

    def _path(self, job_id: str) -> Path:
        return self._folder.folder / job_id
