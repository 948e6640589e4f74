"""The spec of a backbone."""

import json
import re
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from features.backbone.spec import BackboneSpec, InputSpec, i3d_spec
from model.errors import SpecError

IMAGE = {
    "inputs": [
        {"name": "x", "layout": "NCHW", "scale": 0.0039, "mean": [0.5, 0.4, 0.4], "std": [0.2]}
    ],
    "output": "y",
    "frames": 4,
}


def test_json_and_back_is_the_same() -> None:
    """A spec equals the one read from its JSON."""
    spec = i3d_spec(crop="ten", flow="dis", weights={"rgb": "a" * 64})
    assert BackboneSpec.from_json(spec.to_json()) == spec


def test_a_short_json_has_the_defaults_of_the_field() -> None:
    """They are 16 frames at 25 a second, and the centre 224 x 224 of a shorter side of 256."""
    spec = BackboneSpec.from_json(json.dumps(IMAGE))
    assert (spec.rate_fps, spec.snippet_frames, spec.short_side, spec.size) == (25.0, 16, 256, 224)
    assert spec.takes_images


@pytest.mark.parametrize(
    ("frames", "sampling", "expected"),
    [
        (None, "middles", list(range(16))),
        (16, "starts", list(range(16))),
        (1, "middles", [8]),
        (1, "starts", [0]),
        (4, "middles", [2, 6, 10, 14]),
        (4, "starts", [0, 4, 8, 12]),
        (3, "starts", [0, 5, 10]),
    ],
)
def test_frames_are_picked_evenly(frames: int | None, sampling: Any, expected: list[int]) -> None:
    """Frames are in the middle or at the start of equal parts of the snippet."""
    assert expected == replace(i3d_spec(), frames=frames, sampling=sampling).picks


def test_id_differs_with_each_difference() -> None:
    """Another crop, flow or checkpoint has other features, and so another id."""
    ids = {
        i3d_spec().id,
        i3d_spec(crop="ten").id,
        i3d_spec(flow="dis").id,
        i3d_spec(weights={"rgb": "a"}).id,
    }
    assert len(ids) == 4
    assert all(name.startswith("i3d-") for name in ids)


def test_fields_that_are_not_used_do_not_change_an_id() -> None:
    """Models name extractors by ids that are older than some fields."""
    assert i3d_spec().id == "i3d-7d0d057df779"
    assert replace(i3d_spec(), licence="mit").id != i3d_spec().id


def test_frames_are_picked_from_a_longer_clip() -> None:
    """The clip is centred on the snippet, and its length is that of the frames to read."""
    spec = replace(i3d_spec(), clip_frames=32, frames=4)
    assert (spec.clip_length, spec.picks) == (32, [4, 12, 20, 28])
    assert replace(spec, frames=None).seen_frames == 32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"clip_frames": 8}, "clip_frames must be at least 16"),
        ({"sise": 224}, "sise: Unexpected"),
        ({"output": None}, "output"),
        ({"inputs": []}, "at least one"),
        ({"inputs": IMAGE["inputs"] * 2}, "distinct"),
        ({"frames": 17}, "frames must be from 1 to 16, not 17"),
        ({"size": 300}, "size must be from 1 to 256"),
        ({"rate_fps": 0}, "rate_fps"),
        ({"crop": "five"}, "crop"),
        ({"pooling": "median"}, "pooling"),
        ({"format": 2}, "format"),
    ],
)
def test_invalid_spec_is_an_error(change: dict[str, Any], message: str) -> None:
    """The message names the field."""
    with pytest.raises(SpecError, match=message):
        BackboneSpec.from_json(json.dumps(IMAGE | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"layout": "NHCW"}, "layout"),
        ({"scale": "NaN"}, "scale"),
        ({"std": [0.0]}, "std must not be 0"),
        ({"mean": [0.1, 0.2]}, "mean must have 1 or 3 numbers, not 2"),
        ({"stream": "tvl1", "std": [1, 1, 1]}, "must have 1 or 2 numbers"),
        ({"typo": 1}, "typo"),
    ],
)
def test_invalid_input_is_an_error(change: dict[str, Any], message: str) -> None:
    """The message names the field of the input."""
    inputs = [IMAGE["inputs"][0] | change]
    with pytest.raises(SpecError, match=message):
        BackboneSpec.from_json(json.dumps(IMAGE | {"inputs": inputs}))


def test_images_and_clips_do_not_mix() -> None:
    """All inputs have an axis of time, or none has."""
    image, clip = InputSpec("a", "NCHW", 1.0), InputSpec("b", "NCTHW", 1.0)
    with pytest.raises(SpecError, match="layouts"):
        BackboneSpec((image, clip), "y")


@pytest.mark.parametrize("text", [b"", b"{", b"\xff\xfe", b"[]", b"3"])
def test_what_is_no_json_object_is_an_error(text: bytes) -> None:
    """There is a SpecError instead of an error of the parser."""
    with pytest.raises(SpecError, match="cannot be read"):
        BackboneSpec.from_json(text)


def test_example_in_the_documents_is_read() -> None:
    """All of its fields exist."""
    text = (Path(__file__).parents[3] / "docs" / "howto" / "extractors.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", text, flags=re.DOTALL)
    assert BackboneSpec.from_json(example).takes_images


def test_every_field_is_documented() -> None:
    """docs/howto/extractors.md has a row for each."""
    text = (Path(__file__).parents[3] / "docs" / "howto" / "extractors.md").read_text()
    for part in (BackboneSpec, InputSpec):
        for field in fields(part):
            assert f"| `{field.name}` |" in text, field.name
