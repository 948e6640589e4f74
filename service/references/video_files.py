"""A job's video as a local file that stays the same while it is worked on."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from model.errors import VideoError
from model.whole_file import sha256_of
from service.references.rules import ReferenceRules, local_file
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class VideoFile:
    """Where it is, and what tells whether it is still the same."""

    path: Path
    sha256: str
    bytes: int
    modified_ns: int

    @classmethod
    def at(cls, path: Path, sha256: str) -> Self:
        """Returns the video at a path, whose hash is known.

        Raises:
            VideoError: it is not there.
        """
        try:
            about = path.stat()
        except FileNotFoundError:
            raise VideoError(
                "the video is not on this machine; processes that share jobs have to share the "
                "folder of the setting `data`"
            ) from None
        return cls(path, sha256, about.st_size, about.st_mtime_ns)

    def check_unchanged(self) -> None:
        """Does nothing while the file is the same.

        Raises:
            VideoError: it is another one, or gone.
        """
        if VideoFile.at(self.path, self.sha256) != self:
            raise VideoError("the video was changed while it was worked on; ask again")


def fetch(uri: str, rules: ReferenceRules, folder: Path) -> VideoFile:
    """Returns the video that a reference names; one that has to be fetched goes into the folder.

    Raises:
        ReferenceRefusedError, DownloadError: as `local_file` does.
    """
    with local_file(uri, rules, folder) as path:
        sha256 = sha256_of(path)
        if path.parent == folder:  # `local_file` removes what it fetched, under that name
            kept = folder / "fetched"
            kept.unlink(missing_ok=True)
            kept.hardlink_to(path)
            path = kept
        return VideoFile.at(path, sha256)


def reference_rules(settings: Settings) -> ReferenceRules:
    """Returns what references may name."""
    return ReferenceRules(
        roots=settings.video_roots,
        hosts=settings.video_hosts,
        buckets=settings.video_buckets,
        max_bytes=settings.max_video_bytes,
        max_download_s=settings.max_download_s,
        stall_s=settings.download_stall_s,
    )
