"""Several extractors on one clock."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import helper

from features.backbone.spec import METADATA_KEY, BackboneSpec, InputSpec
from features.extractors import (
    UsesFlow,
    member_names,
    open_extractor,
    snippet_clock,
    uses_tvl1,
    video_rows,
)
from features.joined import JoinedExtractor
from model.errors import OptionError


@dataclass(frozen=True)
class Numbers:
    """An extractor whose row has the numbers of the first and last frame of its clip."""

    id: str = "numbers"
    sha256: str | None = None
    rate_fps: float = 25.0
    snippet_frames: int = 4
    clip_frames: int = 4
    short_side: int = 16
    feature_dim: int = 2
    flow_methods: tuple[str, ...] = ()

    def features(self, snippets: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """Yields the rows; checks number and size of the frames."""
        for clip in snippets:
            assert len(clip) == self.clip_frames + 1
            assert min(clip.shape[1:3]) == self.short_side
            yield clip[[0, -1], 0, 0, 0].astype(np.float32)


def numbered(joined: JoinedExtractor, count: int = 6) -> list[np.ndarray]:
    """Snippets whose frames contain their number within the joined snippet, plus 100."""
    before = (joined.clip_frames - joined.snippet_frames) // 2
    frames = np.arange(joined.clip_frames + 1, dtype=np.uint8) - before + 100
    side = joined.short_side
    return [np.broadcast_to(frames[:, None, None, None], (len(frames), side, 2 * side, 3))] * count


def test_rows_are_those_of_the_members_one_after_the_other() -> None:
    """With one clock, each member sees all frames of the snippet, at its own size."""
    joined = JoinedExtractor([Numbers(), Numbers(short_side=8)])
    assert (joined.feature_dim, joined.short_side, joined.clip_frames) == (4, 16, 4)
    rows = list(joined.features(numbered(joined)))
    assert len(rows) == 6
    for row in rows:
        np.testing.assert_array_equal(row, [100, 104, 100, 104])


def test_the_snippets_are_those_of_the_slowest_clock() -> None:
    """Two snippets of 7 in 16 frames start at 0 and 9; their rows are averaged."""
    joined = JoinedExtractor([Numbers(snippet_frames=16, clip_frames=16),
                              Numbers(snippet_frames=7, clip_frames=7)])  # fmt: skip
    assert joined.snippet_frames == 16
    row = next(joined.features(numbered(joined)))
    np.testing.assert_array_equal(row, [100, 116, 104.5, 111.5])


def test_a_member_with_a_lower_rate_gets_every_nth_frame() -> None:
    """5 frames at a third of the rate are 15 frames."""
    slow = Numbers(rate_fps=25 / 3, snippet_frames=5, clip_frames=5)
    joined = JoinedExtractor([slow, Numbers(snippet_frames=15, clip_frames=15)])
    assert (joined.rate_fps, joined.snippet_frames) == (25, 15)
    assert snippet_clock(joined) == snippet_clock(slow)
    row = next(joined.features(numbered(joined)))
    np.testing.assert_array_equal(row, [100, 115, 100, 115])


def test_clips_that_are_longer_than_the_snippet_stay_centred() -> None:
    """A clip of 13 frames around a snippet of 4 starts 4 frames before it."""
    joined = JoinedExtractor([Numbers(), Numbers(clip_frames=13)])
    assert joined.clip_frames == 4 + 2 * 5
    row = next(joined.features(numbered(joined)))
    np.testing.assert_array_equal(row, [100, 104, 96, 109])


def test_clocks_that_do_not_fit_are_refused_by_name() -> None:
    """The message has both rates and the remedy."""
    with pytest.raises(OptionError, match=r"'?other'? does not fit: 25 .* of its 10; .*--rate-fps"):
        JoinedExtractor([Numbers(), Numbers(id="other", rate_fps=10)])


def test_flow_of_a_member_is_known() -> None:
    """A GPU may compute it."""
    joined = JoinedExtractor([Numbers(), Numbers(flow_methods=("tvl1",))])
    assert isinstance(joined, UsesFlow)
    assert uses_tvl1(joined)
    assert not uses_tvl1(JoinedExtractor([Numbers(), Numbers()]))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("motion", ["motion"]),
        ("motion+a.onnx", ["motion", "a.onnx"]),
        ("motion-2+/c++/a.onnx", ["motion-2", "/c++/a.onnx"]),
        ("a.onnx+motion", ["a.onnx", "motion"]),
        ("a.onnx+b.onnx+motion", ["a.onnx", "b.onnx", "motion"]),
        ("/c++/a.onnx", ["/c++/a.onnx"]),
        ("motion+", ["motion+"]),
        ("+motion", ["+motion"]),
        ("emotion+a", ["emotion+a"]),
        ("", [""]),
    ],
)
def test_names_are_separated_where_a_member_ends(name: str, expected: list[str]) -> None:
    """A folder may have a plus in its name."""
    assert expected == member_names(name)


def write_mean(path: Path) -> BackboneSpec:
    """Writes the ONNX file of an image network that computes the mean of each colour."""
    image = InputSpec("image", "NCHW", scale=1 / 255)
    spec = BackboneSpec((image,), "features", snippet_frames=15, frames=1, short_side=40, size=32)
    axes = helper.make_tensor("axes", 7, [2], [2, 3])
    mean = helper.make_node("ReduceMean", ["image", "axes"], ["features"], keepdims=0)
    inputs = [helper.make_tensor_value_info("image", 1, ["batch", 3, 32, 32])]
    outputs = [helper.make_tensor_value_info("features", 1, ["batch", 3])]
    graph = helper.make_graph([mean], "mean", inputs, outputs, [axes])
    network = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    network.metadata_props.add(key=METADATA_KEY, value=spec.to_json())
    onnx.save(network, path)
    return spec


def test_motion_and_a_backbone_are_opened_by_one_name(
    film: Callable[..., Path], tmp_path: Path
) -> None:
    """A video has as many rows as with `motion`, and the backbone's channels are exact."""
    spec = write_mean(tmp_path / "mean.onnx")
    video = film(tmp_path / "video.mp4", [n / 25 for n in range(60)], size=(160, 96))
    joined = open_extractor(f"motion+{tmp_path / 'mean.onnx'}")
    motion, mean = open_extractor("motion"), open_extractor(str(tmp_path / "mean.onnx"))
    assert joined.id == f"{motion.id}+{spec.id}"
    assert joined.sha256 == f"+{mean.sha256}"
    rows_TD = np.stack(list(video_rows(joined, video)))
    motion_TD = np.stack(list(video_rows(motion, video)))
    assert rows_TD.shape == (len(motion_TD), motion.feature_dim + 3)
    assert np.isfinite(rows_TD).all()
    larger = replace(spec, short_side=motion.short_side)
    assert joined.short_side == larger.short_side
    mean_TD = np.stack(list(video_rows(mean, video)))
    np.testing.assert_allclose(rows_TD[:, motion.feature_dim :], mean_TD, atol=0.05)
