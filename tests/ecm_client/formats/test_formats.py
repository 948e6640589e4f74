"""The formats of segments: each is read back by a reader of other people where there is one.

Labels with commas, quotes, line breaks, markup and emoji come through all of them.
"""

import csv
import io
import json
import warnings
import xml.etree.ElementTree as ET
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import opentimelineio as otio
import pympi
import pytest
import webvtt

from ecm_client.errors import FormatError
from ecm_client.formats.edit_list import time_code
from ecm_client.formats.table import FORMATS, export
from ecm_client.formats.video_segments import VideoSegments, without_overlap
from ecm_client.segments import Segment

NASTY = 'run, "jump" <b>&amp; 😀'
SEGMENTS = (
    Segment(2.0, 3.0, "throw", 1.25),
    Segment(0.5, 2.5, "throw", 0.5),
    Segment(61.0, 65.0, NASTY, 0.91234),
    Segment(99.5, 140.0, "throw | catch", 0.1),
)
VIDEO = VideoSegments("match, 1", SEGMENTS, 100.0, 25.0, "films/match <1> & 😀.mp4")
EMPTY = VideoSegments("none", (), 10.0, 25.0)
BY_TIME = [SEGMENTS[1], SEGMENTS[0], *SEGMENTS[2:]]


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_writes_no_segment_and_five_thousand(name: str) -> None:
    """Also a label that is no text for UTF-8 or XML, and one of line breaks only."""
    assert export(name, [EMPTY])
    many = [Segment(t / 10, t / 10 + 60, f"label {t % 7}", 0.5) for t in range(4998)]
    odd = [Segment(0, 1, "\udcff\x00\x1b", 0.5), Segment(0, 1, "\n", 0.5)]
    assert export(name, [replace(VIDEO, segments=many + odd, duration_s=600)])


@pytest.mark.parametrize("name", [name for name, one in FORMATS.items() if one.counts_frames])
@pytest.mark.parametrize("rate", [None, 0.0, -25.0, float("nan"), float("inf")])
def test_formats_of_frames_need_a_frame_rate(name: str, rate: float | None) -> None:
    """The error names the video and the remedy."""
    with pytest.raises(FormatError, match=r"has no frame rate.*give the frames a second"):
        export(name, [replace(VIDEO, frame_rate=rate)])


def test_an_unknown_format_and_too_many_videos_are_refused() -> None:
    """The errors name what is possible."""
    with pytest.raises(FormatError, match="unknown format 'srt'; expected one of csv, json"):
        export("srt", [VIDEO])
    with pytest.raises(FormatError, match="vtt holds one video, not 2; use csv, jsonl"):
        export("vtt", [VIDEO, EMPTY])


def test_csv_names_the_video_where_it_has_a_name() -> None:
    """A label with a line break stays one field."""
    broken = replace(VIDEO, segments=[Segment(0, 1, 'a\n"b",', 0.5)])
    rows = list(csv.DictReader(io.StringIO(export("csv", [broken, EMPTY]).decode())))
    assert [(row["video"], row["label"]) for row in rows] == [("match, 1", 'a\n"b",')]
    assert export("csv", [replace(EMPTY, video_id="")]) == b"label,start_s,end_s,score\n"


def test_json_has_the_segments_and_further_facts() -> None:
    """One video is an object; each line of `jsonl` is one, too."""
    video = replace(VIDEO, facts={"snippets": 7})
    document = json.loads(export("json", [video]))
    assert (document["video_id"], document["duration_s"]) == ("match, 1", 100.0)
    assert document["segments"][2] == {
        "label": NASTY, "start_s": 61.0, "end_s": 65.0, "score": 0.9123,
    }  # fmt: skip
    lines = export("jsonl", [video, EMPTY]).decode().splitlines()
    assert [json.loads(line)["video_id"] for line in lines] == ["match, 1", "none"]
    assert json.loads(lines[0]) == document


def test_webvtt_is_read_by_webvtt_py() -> None:
    """Times to the millisecond; label and score are the text."""
    captions = webvtt.from_string(export("vtt", [VIDEO]).decode()).captions
    assert [(c.start_time.in_seconds(), c.end_time.in_seconds()) for c in captions] == [
        (0, 2), (2, 3), (61, 65), (99, 140),
    ]  # fmt: skip
    assert captions[1].text == "throw 1.25"
    assert captions[2].raw_text == 'run, "jump" &lt;b&gt;&amp;amp; 😀 0.9123'


@pytest.mark.parametrize("rate", [23.976, 24.0, 25.0, 29.97, 30.0, 50.0, 59.94, 60.0])
def test_edl_is_read_by_opentimelineio(rate: float) -> None:
    """Source frames, one cut after the other, names and comments come back at each frame rate."""
    video = replace(VIDEO, frame_rate=rate)
    exact = video.exact_rate
    text = export("edl", [video]).decode()
    timeline = otio.adapters.read_from_string(text, "cmx_3600", rate=float(exact))
    clips = list(timeline.find_clips())
    ranges = [(c.source_range.start_time.value, c.source_range.end_time_exclusive().value)
              for c in clips]  # fmt: skip
    assert ranges == [
        (round(Fraction(s.start_s) * exact), round(Fraction(min(s.end_s, 100)) * exact))
        for s in BY_TIME
    ]
    assert {clip.name for clip in clips} == {"match <1> & 😀.mp4"}
    assert list(clips[2].metadata["cmx_3600"]["comments"]) == [f"COMMENT: {NASTY} 0.9123"]
    recorded = [clip.range_in_parent().start_time.value for clip in clips]
    lengths = [end - start for start, end in ranges]
    assert recorded == [sum(lengths[:index]) for index in range(4)]


def test_edl_refuses_a_rate_without_time_code() -> None:
    """Time code has two digits for frames."""
    with pytest.raises(FormatError, match="240 frames a second, and CMX 3600 counts 1 to 100"):
        export("edl", [replace(VIDEO, frame_rate=240.0)])


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (1799, "00:00:59;29"),
        (1800, "00:01:00;02"),
        (17981, "00:09:59;29"),
        (17982, "00:10:00;00"),
        (107892, "01:00:00;00"),
        (2589408, "00:00:00;00"),
    ],
)
def test_drop_frame_time_code_leaves_out_numbers(frame: int, expected: str) -> None:
    """The values of SMPTE ST 12-1 at 29.97; after a day it starts again."""
    assert time_code(frame, Fraction(30000, 1001)) == expected


def test_elan_is_read_by_pympi(tmp_path: Path) -> None:
    """A tier for each label, a further one for overlaps, and times in milliseconds."""
    (tmp_path / "match.eaf").write_bytes(export("elan", [VIDEO]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        document = pympi.Elan.Eaf(str(tmp_path / "match.eaf"))
    tiers = {name: document.get_annotation_data_for_tier(name) for name in document.tiers}
    assert tiers == {
        "throw": [(500, 2500, "throw 0.5")],
        "throw (2)": [(2000, 3000, "throw 1.25")],
        NASTY: [(61000, 65000, f"{NASTY} 0.9123")],
        "throw | catch": [(99500, 140000, "throw | catch 0.1")],
    }
    assert document.media_descriptors[0]["MEDIA_URL"] == "./match <1> & 😀.mp4"


def test_elan_has_no_tier_twice_and_its_times_in_order() -> None:
    """Labels that differ in white space only have tiers of their own."""
    labels = ["a b", "a  b", "a\nb", "a b (2)", ""]
    video = replace(VIDEO, segments=[Segment(9 - n, 9, label) for n, label in enumerate(labels)])
    root = ET.fromstring(export("elan", [video]))
    names = [tier.get("TIER_ID") for tier in root.iter("TIER")]
    assert len(set(names)) == len(labels)
    times = [int(slot.get("TIME_VALUE", "")) for slot in root.iter("TIME_SLOT")]
    assert times == sorted(times)


def test_boris_pairs_start_and_stop_of_each_state() -> None:
    """By subject and code, as BORIS pairs them; its forbidden character is replaced."""
    touching = [*SEGMENTS, Segment(2.5, 2.7, "throw", 0.3)]
    project = json.loads(export("boris", [replace(VIDEO, segments=touching), EMPTY]))
    assert project["project_format_version"] == "7.0"
    assert set(project["observations"]) == {"match, 1", "none"}
    observation = project["observations"]["match, 1"]
    media = "films/match <1> & 😀.mp4"
    assert observation["file"]["1"] == [media]
    assert observation["media_info"]["length"][media] == 100.0
    open_since: dict[tuple[str, str], tuple[float, str]] = {}
    paired = []
    for time_s, subject, code, modifier, comment, frame in observation["events"]:
        assert (modifier, frame) == ("", round(time_s * 25))
        if (subject, code) in open_since:
            start_s, score = open_since.pop((subject, code))
            paired.append((start_s, time_s, code, score))
        else:
            open_since[subject, code] = time_s, comment
    assert not open_since
    assert sorted(paired) == sorted(
        (s.start_s, s.end_s, s.label.replace("|", "/"), f"score {s.score:.4g}") for s in touching
    )
    defined = {behavior["code"] for behavior in project["behaviors_conf"].values()}
    assert defined == {"throw", NASTY, "throw / catch"}
    assert [one["name"] for one in project["subjects_conf"].values()] == ["overlap 2"]


def test_label_studio_ranges_count_frames_from_one() -> None:
    """In the form that its documentation of TimelineLabels and of predictions gives."""
    (task,) = json.loads(export("labelstudio", [VIDEO]))
    assert task["data"] == {"video": "films/match <1> & 😀.mp4"}
    regions: list[dict[str, Any]] = task["predictions"][0]["result"]
    assert [region["value"] for region in regions] == [
        {"ranges": [{"start": 13, "end": 62}], "timelinelabels": ["throw"]},
        {"ranges": [{"start": 51, "end": 75}], "timelinelabels": ["throw"]},
        {"ranges": [{"start": 1526, "end": 1625}], "timelinelabels": [NASTY]},
        {"ranges": [{"start": 2489, "end": 2500}], "timelinelabels": ["throw | catch"]},
    ]
    assert {region["type"] for region in regions} == {"timelinelabels"}
    assert len({region["id"] for region in regions}) == len(regions)


def test_rows_never_overlap() -> None:
    """Three segments of which each meets the next need two rows."""
    found = without_overlap([(s, e, Segment(s, e, "a")) for s, e in ((0, 4), (3, 6), (5, 8))])
    assert {row: [t[:2] for t in times] for (_, row), times in found.items()} == {
        0: [(0, 4), (5, 8)],
        1: [(3, 6)],
    }
