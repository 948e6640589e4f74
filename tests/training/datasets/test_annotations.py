"""Files in ActivityNet's format: what is read, and what is refused by name."""

import json
from pathlib import Path

import pytest

from model.errors import DataError
from model.segments import Segment
from training.datasets.annotations import Annotation, read_annotations


def read_entry(folder: Path, entry: object, id_: str = "v") -> Annotation:
    """Returns the annotation of a file with one entry."""
    path = folder / "annotations.json"
    path.write_text(json.dumps({"database": {id_: entry}}))
    (annotation,) = read_annotations(path)
    return annotation


def test_an_entry_is_read_as_it_is(tmp_path: Path) -> None:
    """A video may be shorter than a second; a label without times is among the untimed ones."""
    actions = [{"label": "Run", "segment": [0, 0.25]}, {"label": "Jump"}]
    entry = {"subset": "Training", "duration": 0.5, "annotations": actions}
    assert read_entry(tmp_path, entry) == Annotation(
        "v", "training", 0.5, ("Jump", "Run"), (Segment(0, 0.25, "Run"),), untimed=("Jump",)
    )
    assert read_entry(tmp_path, entry).is_readable


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"duration": 0}, "duration must be above 0, not 0"),
        ({"duration": "inf"}, "duration must be above 0, not inf"),
        ({"duration": "long"}, "ValueError: could not convert"),
        ({"duration": None}, "TypeError: expected a number, got None"),
        ({"duration": True}, "TypeError: expected a number, got True"),
        ({"duration": 10**400}, "ValueError: expected a number below 1e308"),
        ({"subset": None}, "expected subset as text, got None"),
        ({"subset": False}, "expected subset as text, got False"),
        ({"annotations": {}}, "TypeError: expected a list of annotations, got {}"),
        (
            {"annotations": [{"label": "Run", "segment": "12"}]},
            r"\[start, end\], got '12'",
        ),
        ({"annotations": [{"label": "Run", "segment": [0, True]}]}, "expected a number, got True"),
        ({"annotations": ["Run"]}, "AttributeError"),
        ({"annotations": [{"segment": [0, 1]}]}, "KeyError: 'label'"),
        ({"annotations": [{"label": "Run", "segment": [1]}]}, "IndexError"),
        ({"annotations": [{"label": "Run", "segment": ["-inf", 1]}]}, "finite times of segments"),
        ({"annotations": [{"label": "Run", "segment": [0, "nan"]}]}, "finite times of segments"),
    ],
)
def test_an_entry_that_cannot_be_used_is_named(
    tmp_path: Path, changes: dict[str, object], reason: str
) -> None:
    """The message has the file, the video, and the value or the expected form."""
    with pytest.raises(DataError, match=rf"annotations\.json: video 'v'.*{reason}"):
        read_entry(tmp_path, {"subset": "training", "duration": 8.0} | changes)


def test_actions_under_another_key_are_no_absence_of_actions(tmp_path: Path) -> None:
    """The actions are then unknown. Beside the right key, another one has no influence."""
    entry = {"subset": "training", "Labels": ["Run"]}
    odd = read_entry(tmp_path, entry)
    assert (odd.labels, odd.is_readable) == ((), False)
    assert odd.remarks == ("video 'v': expected the key 'annotations', got 'Labels'",)
    for known in ({"annotations": []}, {"annotations": [{"label": "Run"}]}):
        assert read_entry(tmp_path, entry | known).is_readable
    assert read_entry(tmp_path, {"subset": "training", "url": ""}).is_readable


@pytest.mark.parametrize("tags", [[], ["Run"], ["Jump", "Run", "Throw"]])
def test_tags_that_differ_from_the_annotations_are_remarked(
    tmp_path: Path, tags: list[str]
) -> None:
    """More and fewer; in another order they are the same."""
    actions = [{"label": "Run"}, {"label": "Jump"}]
    entry = {"subset": "training", "annotations": actions, "tags": tags}
    (remark,) = read_entry(tmp_path, entry).remarks
    assert f"the tags {tags} differ from the labels of its annotations" in remark
    assert read_entry(tmp_path, entry | {"tags": ["Run", "Jump"]}).remarks == ()


def test_an_id_is_a_plain_file_name(tmp_path: Path) -> None:
    """Features are looked up by it."""
    with pytest.raises(DataError, match=r"video id '\.\./v' is not a plain file name"):
        read_entry(tmp_path, {"subset": "training"}, "../v")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "is not readable JSON"),
        ("[" * 100_000, "is not readable JSON: maximum recursion depth"),
        ("[]", 'expected {"database": {ID: ...}} as in ActivityNet'),
        ('{"database": []}', 'expected {"database": {ID: ...}} as in ActivityNet'),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path: Path, content: str, reason: str) -> None:
    """The message names the file; so does that of an absent one."""
    path = tmp_path / "annotations.json"
    with pytest.raises(DataError, match=r"no annotation file .*annotations\.json"):
        read_annotations(path)
    path.write_text(content)
    with pytest.raises(DataError) as refused:
        read_annotations(path)
    assert str(path) in str(refused.value)
    assert reason in str(refused.value)
