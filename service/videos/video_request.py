"""Request for the localization of a video."""

from dataclasses import dataclass

from ecm_client.schemas import LocalizeOptions
from service.videos.uploads import Upload


@dataclass(frozen=True, slots=True)
class VideoRequest:
    """Video to localize: either uploaded with the request or referenced by a URI."""

    options: LocalizeOptions
    """Options of the request."""
    uri: str | None = None
    """URI of a referenced video."""
    upload: Upload | None = None
    """Uploaded file."""
