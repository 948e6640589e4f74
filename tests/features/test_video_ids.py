"""The rule by which ids of annotations and names of files are matched."""

import pytest

from features.video_ids import match_ids, plain_id, without_ending
from model.errors import DataError


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("abc", "abc"), ("v_abc", "abc"), ("abc.mp4", "abc"), ("v_abc.MKV", "abc"),
        ("abc_rgb.npy", "abc"), ("v_abc_flow", "abc"), ("part/v_abc.mp4", "part/abc"),
        ("a.b", "a.b"), ("v_", "v_"), ("_rgb", "_rgb"), ("", ""), ("-v_abc", "-v_abc"),
    ],
)  # fmt: skip
def test_plain_form_of_a_name(name: str, plain: str) -> None:
    """Only known endings go, and something always remains."""
    assert plain_id(name) == plain


def test_only_endings_of_videos_and_features_are_endings() -> None:
    """A dot within an id stays."""
    assert without_ending("sub/a.b.MP4") == "sub/a.b"
    assert without_ending("a.b") == "a.b"


def test_equal_names_come_before_other_spellings() -> None:
    """`abc` and `v_abc` may be two videos; a name is used once."""
    assert match_ids(["abc", "v_abc"], ["abc", "v_abc"]) == {"abc": "abc", "v_abc": "v_abc"}
    assert match_ids(["abc", "v_abc"], ["v_abc"]) == {"v_abc": "v_abc"}
    assert match_ids(["abc", "d.mp4", "e"], ["v_abc", "d"]) == {"abc": "v_abc", "d.mp4": "d"}


def test_two_spellings_of_one_id_are_refused() -> None:
    """Neither the RGB nor the flow file is chosen in silence."""
    with pytest.raises(DataError, match="expected one file, got abc_flow, abc_rgb"):
        match_ids(["abc"], ["abc_rgb", "abc_flow"])
