"""Segments as an ELAN annotation document (.eaf, EAF 3.0)."""

import xml.etree.ElementTree as ET
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import PurePath

from ecm_client.formats.video_segments import VideoSegments, caption, one_line, without_overlap

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_SCHEMA_LOCATION = "{http://www.w3.org/2001/XMLSchema-instance}noNamespaceSchemaLocation"
_TYPE = "segment"


def elan_text(videos: Sequence[VideoSegments]) -> str:
    """Returns the annotation document of one video, with a tier for each label.

    Annotations of one tier must not overlap; a label with overlapping segments has the tiers
    `throw`, `throw (2)` and so on. Each annotation has label and score as its text.

    Source: https://www.mpi.nl/tools/elan/EAF_Annotation_Format_3.0_and_ELAN.pdf.
    """
    (video,) = videos
    root = ET.Element("ANNOTATION_DOCUMENT", _document())
    header = ET.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    ET.SubElement(header, "MEDIA_DESCRIPTOR", _media(video.media))
    order = ET.SubElement(root, "TIME_ORDER")
    slots = 0
    names: set[str] = set()
    for (label, row), segments in without_overlap(video.in_milliseconds()).items():
        tier = ET.SubElement(
            root, "TIER", TIER_ID=_tier_name(label, row, names), LINGUISTIC_TYPE_REF=_TYPE
        )
        for start_ms, end_ms, segment in segments:
            ids = [f"ts{slots + 1}", f"ts{slots + 2}"]
            for id_, time_ms in zip(ids, (start_ms, end_ms), strict=True):
                ET.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=id_, TIME_VALUE=str(time_ms))
            slots += 2
            _annotate(tier, f"a{slots // 2}", ids, caption(segment))
    order[:] = sorted(order, key=lambda slot: int(slot.get("TIME_VALUE", "0")))
    ET.SubElement(
        root, "LINGUISTIC_TYPE", LINGUISTIC_TYPE_ID=_TYPE, TIME_ALIGNABLE="true",
        GRAPHIC_REFERENCES="false",
    )  # fmt: skip
    ET.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ET.tostring(root, encoding="unicode")}\n'


def _document() -> dict[str, str]:
    return {
        "AUTHOR": "ecm-localizer",
        "DATE": datetime.now(UTC).isoformat(timespec="seconds"),
        "FORMAT": "3.0",
        "VERSION": "3.0",
        _SCHEMA_LOCATION: _SCHEMA,
    }


def _media(path: str) -> dict[str, str]:
    """Returns the attributes that name the video. ELAN looks for it beside the document, too."""
    name = one_line(PurePath(path).name or path)
    ending = PurePath(name).suffix.lower().lstrip(".")
    return {
        "MEDIA_URL": one_line(path) if "://" in path else f"./{name}",
        "RELATIVE_MEDIA_URL": f"./{name}",
        "MIME_TYPE": "video/mp4" if ending in ("mp4", "m4v", "") else f"video/{ending}",
    }


def _tier_name(label: str, row: int, taken: set[str]) -> str:
    """Returns a name for a tier that no other tier has, and notes that it is taken."""
    name = one_line(label) or "unnamed"
    number = row + 1
    unique = name if number == 1 else f"{name} ({number})"
    while unique in taken:
        number += 1
        unique = f"{name} ({number})"
    taken.add(unique)
    return unique


def _annotate(tier: ET.Element, id_: str, slots: Sequence[str], text: str) -> None:
    annotation = ET.SubElement(
        ET.SubElement(tier, "ANNOTATION"), "ALIGNABLE_ANNOTATION", ANNOTATION_ID=id_,
        TIME_SLOT_REF1=slots[0], TIME_SLOT_REF2=slots[1],
    )  # fmt: skip
    ET.SubElement(annotation, "ANNOTATION_VALUE").text = text
