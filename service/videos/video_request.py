"""Request for the localization of a video."""

from dataclasses import dataclass

from ecm_client.schemas import LocalizeOptions
from service.videos.uploads import Upload


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """Video to localize: uploaded with the request, referenced by a URI, or that of a job."""

    options: LocalizeOptions
    """Options of the request."""
    uri: str | None = None
    """URI of a referenced video."""
    job_id: str | None = None
    """Id of a finished job that has the video."""
    upload: Upload | None = None
    """Uploaded file."""
    name: str | None = None
    """File name that the client gave."""
