"""Choice of a library by the name of a backbone."""

import sys

import pytest

from features.backbone.libraries.licences import forbids_commercial_use, licence_notice
from features.backbone.libraries.named import LIBRARIES, build_backbone
from features.backbone.libraries.request import ClipRequest
from model.errors import ModelError, OptionError


@pytest.mark.parametrize("name", ["", "i4d", "torchvision:", "torchvision", "keras:i3d"])
def test_unknown_libraries_are_refused(name: str) -> None:
    """The message lists the forms of names."""
    with pytest.raises(OptionError, match="expected i3d, torchvision:NAME"):
        build_backbone(name, ClipRequest(), "random")


@pytest.mark.parametrize("library", LIBRARIES)
def test_an_absent_library_is_named_with_the_line_that_installs_it(
    library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is an extra of its own."""
    for name in [n for n in sys.modules if n.startswith("features.backbone.libraries.")]:
        if library in name:
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, library, None)
    monkeypatch.setitem(sys.modules, f"{library}.models", None)
    with pytest.raises(OptionError, match=rf"pip install 'ecm-localizer\[{library}\]'"):
        build_backbone(f"{library}:anything", ClipRequest(), "random")


@pytest.mark.parametrize(
    ("request_", "frames", "clip_s", "expected"),
    [
        (ClipRequest(), 16, 16 / 15, (15, 27, 16)),
        (ClipRequest(), 16, None, (15, 16, 16)),
        (ClipRequest(), 1, None, (15, 15, 1)),
        (ClipRequest(), 8, 0.1, (15, 15, 8)),
        (ClipRequest(frames=8, clip_s=1.2, snippet_frames=10), 16, 2.0, (10, 30, 8)),
    ],
)
def test_clips_cover_the_seconds_of_the_library(
    request_: ClipRequest, frames: int, clip_s: float | None, expected: tuple[int, int, int]
) -> None:
    """A clip is never shorter than its snippet, or than the frames taken from it."""
    clock = request_.clock(frames, clip_s)
    assert expected == (clock.snippet_frames, clock.clip_frames, clock.frames)


@pytest.mark.parametrize(
    "request_", [ClipRequest(frames=-1), ClipRequest(rate_fps=0), ClipRequest(snippet_frames=0)]
)
def test_numbers_out_of_range_are_refused(request_: ClipRequest) -> None:
    """Frames, rates and seconds are above 0."""
    with pytest.raises(OptionError, match="above 0"):
        request_.clock(16, 1.0)


@pytest.mark.parametrize(
    ("licence", "forbidden"),
    [
        ("cc-by-nc-4.0", True),
        ("cc-by-nc-sa-4.0", True),
        ("apple-amlr", True),
        ("https://github.com/facebookresearch/SWAG/blob/main/LICENSE", True),
        ("CC BY-NC 4.0", True),
        ("Non-Commercial", True),
        ("apache-2.0", False),
        ("bsd-3-clause", False),
        ("mit", False),
        ("ncsa", False),
        (None, False),
    ],
)
def test_licences_that_forbid_commercial_use_are_announced(
    licence: str | None, forbidden: bool
) -> None:
    """Others are shown as they are; an absent one is not taken for a free one."""
    assert forbids_commercial_use(licence) == forbidden
    assert ("FORBIDS COMMERCIAL USE" in licence_notice(licence)) == forbidden
    assert ("not stated" in licence_notice(licence)) == (licence is None)


def test_a_library_for_another_torch_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its import fails with an error of its own."""
    name = "features.backbone.libraries.timm_images"
    monkeypatch.delitem(sys.modules, name, raising=False)

    class Broken:
        def find_spec(self, fullname: str, *_: object) -> None:
            if fullname == name:
                raise RuntimeError("operator torchvision::nms does not exist")

    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(ModelError, match=r"timm does not load: operator .* for torch"):
        build_backbone("timm:resnet18", ClipRequest(), "random")
