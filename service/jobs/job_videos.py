"""The video of a job: its name, and its file as long as the service has it."""

import re
from pathlib import Path
from urllib.parse import unquote

from service.jobs.record import VideoAsked
from service.references.errors import ReferenceRefusedError
from service.references.rules import ReferenceRules, named_file
from service.settings import Settings
from service.videos.data_folder import DataFolder
from service.videos.kept_videos import KeptVideos

_NAME_CHARACTERS = 200
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Control characters, and those that change the direction of the text after them."""


class JobVideos:
    """Finds the videos of jobs."""

    def __init__(self, data: DataFolder, kept: KeptVideos, rules: ReferenceRules) -> None:
        """Takes the places of videos: of unfinished and finished jobs, and allowed folders."""
        self._data = data
        self._kept = kept
        self._rules = rules

    def find(self, job_id: str, asked: VideoAsked) -> Path | None:
        """Returns the file of a job's video, or None if the service no longer has it."""
        if asked.uri is not None:
            try:
                path = named_file(asked.uri, self._rules)
            except ReferenceRefusedError:
                return None
            if path:
                return path
        owner = asked.job_id or job_id
        return self._kept.find(owner) or self._data.received_video(owner)

    def is_kept(self, job_id: str) -> bool:
        """Returns whether the video of a finished job is there."""
        return self._kept.find(job_id) is not None


def video_name(given: str | None, uri: str | None) -> str | None:
    """Returns the name of a video for people: what the client gave, or the end of its URI."""
    text = given if given is not None else unquote((uri or "").partition("?")[0])
    name = _UNPRINTABLE.sub("", text.replace("\\", "/").rstrip("/").rpartition("/")[2]).strip()
    return name[:_NAME_CHARACTERS] or None


def reference_rules(settings: Settings) -> ReferenceRules:
    """Returns the rules for references to videos that the settings define."""
    return ReferenceRules(
        roots=settings.video_roots,
        hosts=settings.video_hosts,
        buckets=settings.video_buckets,
        max_bytes=settings.max_video_bytes,
        max_download_s=settings.max_download_s,
        stall_s=settings.download_stall_s,
    )
