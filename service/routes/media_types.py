"""Content types of request bodies."""

import re
from typing import Final

JSON: Final = "application/json"
NPY: Final = "application/x-npy"
RAW: Final = "application/octet-stream"
FORM: Final = "multipart/form-data"
VIDEO: Final = "video/"
"""Prefix of the content types of videos."""

MAGIC_BYTES: Final = 4096
"""Bytes of a body that suffice to recognize a video."""
_CONTAINERS = re.compile(
    rb"""
    .{4}(ftyp|moov|mdat|wide|free|skip|pnot)  # MP4 and QuickTime
    | \x1aE\xdf\xa3  # Matroska and WebM
    | RIFF.{4}AVI\x20
    | FLV\x01
    | OggS
    | 0&\xb2u\x8ef\xcf\x11  # ASF
    | \x00\x00\x01[\xba\xb3]  # MPEG program streams and elementary streams
    | G.{187}G.{187}G  # MPEG transport streams, without and with time codes
    | .{4}G.{191}G.{191}G
    """,
    re.DOTALL | re.VERBOSE,
)


def looks_like_video(start: bytes) -> bool:
    """Returns whether a body that begins with these bytes is a video in a usual container."""
    return _CONTAINERS.match(start) is not None
