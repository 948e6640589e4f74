"""Wire schemas of the calls that are made for the page."""

from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, model_validator

from ecm_client.schemas import Seconds

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


class SegmentAsked(BaseModel):
    """A segment to export or to cut."""

    label: Annotated[str, Field(max_length=1024)]
    start_s: Annotated[FiniteFloat, Field(ge=0, le=1e9)]
    end_s: Annotated[FiniteFloat, Field(ge=0, le=1e9)]
    score: FiniteFloat = 1.0


class ExportRequest(BaseModel):
    """Body of POST /export/{format}."""

    video_id: Annotated[str, Field(max_length=1024)] = ""
    duration_s: Seconds | None = None
    frame_rate: Annotated[FiniteFloat, Field(gt=0, le=1e5)] | None = None
    segments: Annotated[list[SegmentAsked], Field(max_length=100_000)]


class ClipsRequest(BaseModel):
    """Body of POST /jobs/{id}/clips."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    segments: Annotated[list[SegmentAsked], Field(min_length=1, max_length=1000)]
    exact: bool = False
    """Whether to encode again, so that a clip begins with its segment."""


class CorrectedAction(BaseModel):
    """An action of a corrected video."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    label: Annotated[str, Field(min_length=1, max_length=1024)]
    segment: tuple[FiniteFloat, FiniteFloat] | None = None
    """Start and end in seconds; absent where the label holds for the whole video."""

    @model_validator(mode="after")
    def _is_in_order(self) -> "CorrectedAction":
        if self.segment and not 0 <= self.segment[0] <= self.segment[1]:
            raise ValueError("expected a segment [start, end] with 0 <= start <= end")
        return self


class CorrectedVideo(BaseModel):
    """Entry of one video in ActivityNet's format."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    duration: Seconds
    """Length of the video in seconds."""
    subset: Annotated[str, Field(pattern="^[A-Za-z0-9_][A-Za-z0-9_ -]{0,39}$")] = "training"
    annotations: Annotated[list[CorrectedAction], Field(max_length=100_000)]
    """Actions with the times that somebody checked. A label without a time occurs at times that
    nobody checked."""
    tags: Annotated[list[Annotated[str, Field(max_length=1024)]], Field(max_length=10_000)] = []
    """Labels of the whole video; repeated in `annotations`, where `ecm fit` reads them."""


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
    hosts: list[str]
    """Hosts of allowed `https:` URIs; `*.example.org` for subdomains."""
    clips: bool
    """Whether POST /jobs/{id}/clips cuts clips."""
    corrections: bool
    """Whether the service stores corrections."""
    example: Example | None = None
    """Job of the operator's example, submitted with the Idempotency-Key `example`."""
