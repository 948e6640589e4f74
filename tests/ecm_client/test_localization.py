"""The result type: a sequence of segments that writes itself in four formats."""

import csv
import json
import pickle
import sys
from dataclasses import replace

import numpy as np
import pytest

from ecm_client.errors import InputError
from ecm_client.schemas import LocalizeResponse
from ecm_localizer import Localization, Segment

THROW = Segment(12.34567, 15.0, "throw", 0.912345)
RUN = Segment(3.0, 3.0, "run & <b>jump</b>\n--> away", 0.25)
LATE = Segment(3723.4, 3725.06, "throw", 0.5)
RESULT = Localization(
    segments=(THROW, LATE, RUN),
    classes={"throw": 0.87654321, "run": 0.1},
    duration_s=93.45678,
    snippets=4,
    model="small",
    version=2,
    timing_ms={"total": 1.23456},
)


def test_a_localization_is_a_sequence_of_its_segments() -> None:
    """Length, index, slice, membership and iteration; two equal ones compare equal."""
    assert len(RESULT) == 3
    assert RESULT[0] is THROW
    assert RESULT[:2] == (THROW, LATE)
    assert list(RESULT) == [THROW, LATE, RUN]
    assert RUN in RESULT
    assert replace(RESULT, timing_ms={}, cas_TC=np.zeros((4, 2), np.float32)) == RESULT
    assert replace(RESULT, segments=()) != RESULT
    assert pickle.loads(pickle.dumps(RESULT)) == RESULT


def test_segments_sort_by_time_and_by_score() -> None:
    """Both keep everything else."""
    assert list(RESULT.by_time()) == [RUN, THROW, LATE]
    assert RESULT.by_time().by_score() == RESULT


def test_repr_is_one_useful_line() -> None:
    """Length, number of segments and the best one, in any number."""
    assert repr(RESULT) == "Localization of 93.5 s: 3 segments, best throw 0.91 at 0:12.3"
    one = replace(RESULT, segments=(LATE,))
    assert repr(one) == "Localization of 93.5 s: 1 segment, best throw 0.50 at 1:02:03.4"
    none = replace(RESULT, segments=(), duration_s=39.0)
    assert repr(none) == "Localization of 39.0 s: 0 segments"


def test_a_notebook_shows_a_time_line_and_a_table() -> None:
    """Below a time line. Labels are escaped; a long list is cut."""
    page = RESULT._repr_html_()
    assert "<td>throw</td>" in page
    assert "<b>" not in page
    assert page.count("<rect") == 3
    assert "<svg" not in replace(RESULT, segments=())._repr_html_()
    assert replace(RESULT, segments=(THROW,) * 500)._repr_html_().count("<td>throw</td>") == 20


def test_json_is_the_response_of_the_service_rounded() -> None:
    """Milliseconds, four digits of a score; the logits only where they are there."""
    response = LocalizeResponse.model_validate_json(RESULT.to_json())
    assert response.model.version == 2
    assert response.duration_s == 93.457
    assert [entry.score for entry in response.classes] == [0.8765, 0.1]
    assert (response.segments[0].start_s, response.segments[0].score) == (12.346, 0.9123)
    assert response.cas is None
    logits_TC = np.array([[1.23456789, -2.0]], np.float32)
    content = json.loads(replace(RESULT, cas_TC=logits_TC, cas_labels=("throw", "run")).to_json())
    assert content["cas"] == {"labels": ["throw", "run"], "logits": [[1.2346, -2.0]]}


def test_csv_has_a_row_for_each_segment() -> None:
    """A label with a line break stays one field."""
    rows = list(csv.DictReader(RESULT.to_csv().splitlines(keepends=True)))
    assert rows[0] == {"label": "throw", "start_s": "12.346", "end_s": "15.0", "score": "0.9123"}
    assert [row["label"] for row in rows] == [segment.label for segment in RESULT]


def test_webvtt_has_a_cue_for_each_segment_by_time() -> None:
    """Labels are escaped and on one line; no cue is empty; hours have two digits."""
    assert RESULT.to_vtt() == (
        "WEBVTT\n"
        "\n00:00:03.000 --> 00:00:03.001\nrun &amp; &lt;b&gt;jump&lt;/b&gt; --&gt; away 0.25\n"
        "\n00:00:12.346 --> 00:00:15.000\nthrow 0.9123\n"
        "\n01:02:03.400 --> 01:02:05.060\nthrow 0.5\n"
    )
    assert replace(RESULT, segments=()).to_vtt() == "WEBVTT\n"


def test_activitynet_has_one_video() -> None:
    """In the format of its result files."""
    content = json.loads(RESULT.to_activitynet("v_1"))
    assert set(content) == {"version", "results", "external_data"}
    assert content["results"]["v_1"][0] == {
        "label": "throw",
        "score": 0.9123,
        "segment": [12.346, 15.0],
    }


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0, "0:00.0"), (59.94, "0:59.9"), (59.96, "1:00.0"), (3599.97, "1:00:00.0")],
)
def test_clock_times_carry_over(seconds: float, expected: str) -> None:
    """From tenths to minutes and from minutes to hours."""
    start = replace(RESULT, segments=(THROW._replace(start_s=seconds),))
    assert repr(start).endswith(f" at {expected}")


def test_every_format_comes_from_one_method() -> None:
    """The short methods are names of it."""
    assert RESULT.to("csv") == RESULT.to_csv()
    assert RESULT.to("activitynet", video_id="v") == RESULT.to_activitynet("v")
    document = json.loads(RESULT.to("json", video_id="v"))
    assert document == {"video_id": "v", **json.loads(RESULT.to_json())}
    assert json.loads(RESULT.to("json", frame_rate=25))["frame_rate"] == 25
    assert "FROM CLIP NAME: a.mp4" in RESULT.to("edl", file="films/a.mp4", frame_rate=25)
    with pytest.raises(InputError, match="has no frame rate"):
        RESULT.to("edl")


def test_a_data_frame_has_a_row_for_each_segment() -> None:
    """Also none for no segment, with the same columns."""
    table = RESULT.to_pandas()
    assert list(table.columns) == ["label", "start_s", "end_s", "score"]
    assert list(table["label"]) == [segment.label for segment in RESULT]
    assert table["end_s"].sum() == sum(segment.end_s for segment in RESULT)
    empty = replace(RESULT, segments=()).to_pandas()
    assert (len(empty), list(empty.columns)) == (0, list(table.columns))


def test_a_plot_has_a_lane_for_each_class_and_the_activation() -> None:
    """Most probable class first; a dollar sign in a label is no formula."""
    odd = Segment(1, 2, "$\\alpha$", 0.9)
    plain = replace(RESULT, segments=(*RESULT.segments, odd), classes={"throw": 0.5, "run": 0.9})
    (axes,) = plain.plot(title="$x_1$").axes
    names = [text.get_text().partition("\n")[0] for text in axes.get_yticklabels()]
    assert names == ["throw", "$\\alpha$", "run & <b>jump</b> --> away"]
    assert not axes.lines
    cas_TC = np.array([[0.0, 1.0], [2.0, 1.0], [4.0, -1.0], [1.0, 0.5]], np.float32)
    kept = replace(plain, cas_TC=cas_TC, cas_labels=("throw", "run"))
    assert len(kept.plot().axes[0].lines) == 1
    assert replace(RESULT, segments=()).plot().axes[0].texts[0].get_text() == "no segments"


@pytest.mark.parametrize(("method", "package"), [("plot", "matplotlib"), ("to_pandas", "pandas")])
def test_a_missing_package_is_one_sentence(
    method: str, package: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It names the package and the command that installs it."""
    for name in (package, f"{package}.figure"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=f"needs the package {package}: pip install {package}"):
        getattr(RESULT, method)()
