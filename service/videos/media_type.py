"""The content type of a video file, from its first bytes."""

import re
from pathlib import Path
from typing import Final

_BEGINNINGS: Final = (
    (re.compile(rb".{4}ftypqt  ", re.DOTALL), "video/quicktime"),
    (re.compile(rb".{4}(ftyp|moov|mdat|wide|free|skip)", re.DOTALL), "video/mp4"),
    (re.compile(rb"\x1aE\xdf\xa3.{0,60}webm", re.DOTALL), "video/webm"),
    (re.compile(rb"\x1aE\xdf\xa3"), "video/x-matroska"),
    (re.compile(rb"RIFF.{4}AVI ", re.DOTALL), "video/x-msvideo"),
    (re.compile(rb"OggS"), "video/ogg"),
    (re.compile(rb"G.{187}G", re.DOTALL), "video/mp2t"),
    (re.compile(rb"\x00\x00\x01[\xba\xb3]"), "video/mpeg"),
)
UNKNOWN: Final = "application/octet-stream"
_READ_BYTES: Final = 256


def media_type_of(path: Path) -> str:
    """Returns the content type; never one that a browser shows as a page.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as file:
        start = file.read(_READ_BYTES)
    return next((name for pattern, name in _BEGINNINGS if pattern.match(start)), UNKNOWN)
