"""Wire schemas of the calls that are made for the page."""

from typing import Literal, TypeAlias

from pydantic import BaseModel, ConfigDict

UriScheme: TypeAlias = Literal["file", "https", "s3", "gs", "az"]


class Limits(BaseModel):
    """Limits of the service that a page checks before it sends anything."""

    max_video_bytes: int
    max_body_bytes: int
    max_segments: int
    max_snippets: int
    max_video_s: float


class Example(BaseModel):
    """The operator's example: a finished job."""

    job_id: str


class Ticket(BaseModel):
    """Right to read the media of one job for a while."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    ticket: str
    """Value of the query parameter `ticket`."""
    expires_s: int
    """Seconds for which it is valid."""


class FileEntry(BaseModel):
    """A folder or a video of the operator."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    name: str
    path: str
    """Absolute path, for GET /files."""
    uri: str
    """Address of a video for POST /jobs."""
    kind: Literal["folder", "video"]
    size_bytes: int | None = None


class FileList(BaseModel):
    """Content of a folder."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    path: str
    """The folder; empty for the list of all roots."""
    entries: list[FileEntry]
    """Folders first, each kind by name."""
    truncated: bool = False
    """Whether the folder has more entries."""


class Capabilities(BaseModel):
    """Parts of the service that are there, so that a page shows no others."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    version: str
    limits: Limits
    keep_jobs_s: float
    """Time for which finished jobs are kept, in seconds."""
    videos: bool
    """Whether the service takes videos; otherwise it takes features only."""
    roots: bool
    """Whether GET /files lists videos on the server."""
    uris: list[UriScheme]
    """Schemes of the URIs that requests may name."""
    clips: bool
    """Whether POST /jobs/{id}/clips cuts clips."""
    corrections: bool
    """Whether the service stores corrections."""
    example: Example | None = None
    """Job of the operator's example, submitted with the Idempotency-Key `example`."""
