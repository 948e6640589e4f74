"""The formats of segments, by name: one list for the command line, Python and HTTP."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ecm_client.errors import FormatError
from ecm_client.formats.boris import boris_text
from ecm_client.formats.captions import vtt_text
from ecm_client.formats.comma_separated import csv_text
from ecm_client.formats.edit_list import edl_text
from ecm_client.formats.elan import elan_text
from ecm_client.formats.json_documents import (
    activitynet_text,
    json_lines,
    json_text,
    label_studio_text,
)
from ecm_client.formats.video_segments import VideoSegments


@dataclass(frozen=True, slots=True)
class Format:
    """A format of segments."""

    suffix: str
    """Ending of its files, with the dot."""
    media_type: str
    """Media type of its files."""
    text: Callable[[Sequence[VideoSegments]], str]
    """Writes videos."""
    opens_in: str
    """Program that reads it, and the place in that program."""
    holds_several: bool = False
    """Whether a file may have several videos."""
    counts_frames: bool = False
    """Whether it needs the frame rate."""


FORMATS: dict[str, Format] = {
    "csv": Format(
        ".csv", "text/csv; charset=utf-8", csv_text, "spreadsheets, pandas, R", True
    ),
    "json": Format(".json", "application/json", json_text, "programs"),
    "jsonl": Format(
        ".jsonl", "application/jsonl", json_lines, "programs, one line for each video", True
    ),
    "activitynet": Format(
        ".json", "application/json", activitynet_text,
        "`ecm score` and the ActivityNet evaluation code", True,
    ),
    "vtt": Format(
        ".vtt", "text/vtt; charset=utf-8", vtt_text,
        "VLC (Subtitle > Add Subtitle File) and the HTML element track",
    ),
    "edl": Format(
        ".edl", "text/plain; charset=utf-8", edl_text,
        "DaVinci Resolve (File > Import > Timeline), Premiere Pro (File > Import), Avid",
        counts_frames=True,
    ),
    "elan": Format(
        ".eaf", "application/xml", elan_text, "ELAN (File > Open), the video beside the file"
    ),
    "boris": Format(
        ".boris", "application/json", boris_text,
        "BORIS (File > Open project, or Observations > Import observations)", True,
    ),
    "labelstudio": Format(
        ".json", "application/json", label_studio_text,
        "Label Studio (project with the template Video Frame Classification, Import)", True, True,
    ),
}  # fmt: skip
"""The formats by name."""


def export(name: str, videos: Sequence[VideoSegments]) -> bytes:
    """Returns the content of a file in a format.

    Args:
        name: a name of `FORMATS`.
        videos: the videos with their segments.

    Raises:
        FormatError: the format is unknown, holds one video only, or needs a frame rate that is
            not known.
    """
    chosen = format_of(name)
    if not chosen.holds_several and len(videos) != 1:
        several = ", ".join(name for name, one in FORMATS.items() if one.holds_several)
        raise FormatError(f"{name} holds one video, not {len(videos)}; use {several}")
    # A name may have bytes that are no text, which UTF-8 cannot encode.
    return chosen.text(videos).encode(errors="backslashreplace")


def format_of(name: str) -> Format:
    """Returns a format by its name.

    Raises:
        FormatError: there is no such format.
    """
    if name not in FORMATS:
        raise FormatError(f"unknown format {name!r}; expected one of {', '.join(FORMATS)}")
    return FORMATS[name]
