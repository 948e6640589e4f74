"""A job's video as a local file that must not change while the job runs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model.errors import VideoError
from model.whole_file import sha256_of
from service.references.rules import ReferenceRules, local_file


@dataclass(frozen=True, slots=True)
class VideoFile:
    """Path of a video, and the attributes that identify its content."""

    path: Path
    """Path of the file."""
    sha256: str
    """SHA-256 of the content, in hexadecimal."""
    bytes: int
    """Size of the file."""
    modified_ns: int
    """Time of the last change, in nanoseconds since 1970."""

    @classmethod
    def at(cls, path: Path, sha256: str) -> Self:
        """Returns the video at a path.

        Raises:
            VideoError: there is no file.
        """
        try:
            status = path.stat()
        except FileNotFoundError:
            raise VideoError(
                "the video is not on this machine; processes that share jobs must share the "
                "folder of the setting `data`"
            ) from None
        return cls(path, sha256, status.st_size, status.st_mtime_ns)

    def check_unchanged(self) -> None:
        """Checks that the file has not changed.

        Raises:
            VideoError: the file has changed or is gone.
        """
        if VideoFile.at(self.path, self.sha256) != self:
            raise VideoError(
                "the video changed while it was being processed; send the request again"
            )


def fetch(uri: str, rules: ReferenceRules, download: Path) -> VideoFile:
    """Returns the video at a URI; a download is stored as `download`.

    Raises:
        ReferenceRefusedError, DownloadError: see `local_file`.
    """
    with local_file(uri, rules, download.parent) as path:
        sha256 = sha256_of(path)
        if path.parent == download.parent:  # `local_file` deletes it by that name
            download.unlink(missing_ok=True)
            download.hardlink_to(path)
            path = download
        return VideoFile.at(path, sha256)
