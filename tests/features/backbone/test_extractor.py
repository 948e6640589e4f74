"""The extractor of a backbone."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from features.backbone.extractor import OnnxExtractor, open_onnx
from features.backbone.spec import METADATA_KEY, BackboneSpec, InputSpec
from features.extractors import Extractor, uses_tvl1, video_rows
from features.flow.opencv import DenseFlow, as_i3d_expects, to_grey
from model.errors import ModelError, ModelNotFoundError, SpecError, VideoError
from model.inference.engine import EngineConfig, open_session

SIZE = 32
TWO_STREAMS = BackboneSpec(
    (
        InputSpec("rgb", "NTHWC", scale=1 / 255),
        InputSpec("flow", "NTHWC", scale=1.0, stream="dis"),
    ),
    "features",
    snippet_frames=4,
    short_side=40,
    size=SIZE,
)
IMAGES = BackboneSpec(
    (InputSpec("image", "NCHW", scale=1 / 255),),
    "features",
    snippet_frames=4,
    frames=2,
    short_side=40,
    size=SIZE,
)
CPU = EngineConfig(device="cpu", threads=1)


def means(
    spec: BackboneSpec,
    *,
    batch: int | str = "batch",
    size: int | str = SIZE,
    element: int = TensorProto.FLOAT,
    keepdims: int = 0,
    axes: list[int] | None = None,
) -> bytes:
    """The ONNX file of a network that computes the mean of each channel of its inputs."""
    nodes, inputs, reduced = [], [], []
    for wanted in spec.inputs:
        shape = [batch, *spec.shape(wanted)[1:]]
        shape = [size if axis in "HW" else s for axis, s in zip(wanted.layout, shape, strict=True)]
        inputs.append(helper.make_tensor_value_info(wanted.name, element, shape))
        over = axes or [i for i, axis in enumerate(wanted.layout) if axis not in "NC"]
        name = f"mean_{wanted.name}"
        nodes.append(
            helper.make_node("ReduceMean", [wanted.name, f"{name}_axes"], [name], keepdims=keepdims)
        )
        reduced.append((name, helper.make_tensor(f"{name}_axes", 7, [len(over)], over)))
    nodes.append(helper.make_node("Concat", [name for name, _ in reduced], ["features"], axis=1))
    output = helper.make_tensor_value_info("features", element, None)
    graph = helper.make_graph(nodes, "means", inputs, [output], [axes for _, axes in reduced])
    opsets = [helper.make_opsetid("", 18)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9).SerializeToString()


def opened(content: bytes, spec: BackboneSpec, **options: int) -> OnnxExtractor:
    return OnnxExtractor(open_session(content, CPU), spec, "", **options)


def snippets(count: int, *, frames: int = 4, seed: int = 0) -> list[np.ndarray]:
    """Random snippets of 40 x 52 pixels."""
    rng = np.random.default_rng(seed)
    return list(rng.integers(0, 256, (count, frames + 1, 40, 52, 3), np.uint8))


def test_rows_are_computed_from_the_centre() -> None:
    """Inputs are the RGB frames without that of the next snippet, and as many flows as frames."""
    extractor = opened(means(TWO_STREAMS), TWO_STREAMS)
    (snippet,) = snippets(1)
    (row,) = extractor.features([snippet])
    flow = as_i3d_expects(DenseFlow("dis")(to_grey(snippet)))
    centre = np.s_[:, 4:36, 10:42]
    expected = [*(snippet[:4][centre] / 255).mean((0, 1, 2)), *flow[centre].mean((0, 1, 2))]
    np.testing.assert_allclose(row, expected, atol=1e-5)
    assert (extractor.feature_dim, row.dtype) == (5, np.float32)


def test_tv_l1_is_computed_if_it_is_in_the_spec() -> None:
    """Both kinds of flow may be inputs at once, and differ."""
    both = (
        InputSpec("dis", "NCTHW", scale=1.0, stream="dis"),
        InputSpec("tvl1", "NTCHW", scale=1.0, stream="tvl1"),
    )
    spec = replace(TWO_STREAMS, inputs=both, snippet_frames=2)
    (snippet,) = snippets(1, frames=2)
    (row,) = opened(means(spec), spec).features([snippet])
    expected = as_i3d_expects(DenseFlow("tvl1")(to_grey(snippet)))[:, 4:36, 10:42].mean((0, 1, 2))
    np.testing.assert_allclose(row[2:], expected, atol=1e-5)
    assert abs(row[2:] - row[:2]).max() > 1e-4


def test_tv_l1_may_be_computed_by_something_else() -> None:
    """Another engine replaces OpenCV for TV-L1 only, and the id does not change."""

    def to_the_right(grey_FHW: np.ndarray) -> np.ndarray:
        return np.broadcast_to(np.float32([5, 0]), (len(grey_FHW) - 1, *grey_FHW.shape[1:], 2))

    (snippet,) = snippets(1, frames=2)
    for method, expected in (("tvl1", [0.25, 0]), ("dis", None)):
        flow = InputSpec("flow", "NCTHW", scale=1.0, stream=method)
        spec = replace(TWO_STREAMS, inputs=(flow,), snippet_frames=2)
        other = OnnxExtractor(open_session(means(spec), CPU), spec, "", tvl1=to_the_right)
        own = opened(means(spec), spec)
        assert own.id == other.id
        assert uses_tvl1(other) == (method == "tvl1")
        (row,), (own_row,) = other.features([snippet]), own.features([snippet])
        np.testing.assert_allclose(row, own_row if expected is None else expected, atol=1e-6)


@pytest.mark.parametrize(("pooling", "pool"), [("mean", np.mean), ("max", np.max)])
@pytest.mark.parametrize("batch", ["batch", 1])
def test_images_are_pooled_over_the_frames_that_are_picked(
    pooling: str, pool: Callable[..., np.ndarray], batch: int | str
) -> None:
    """This includes a network that takes one image at a time only."""
    spec = replace(IMAGES, pooling=pooling)
    extractor = opened(means(spec, batch=batch), spec)
    given = snippets(3)
    rows = np.stack(list(extractor.features(given)))
    seen = np.stack([s[[1, 3], 4:36, 10:42] / 255 for s in given]).mean((2, 3))
    np.testing.assert_allclose(rows, pool(seen, axis=1), atol=1e-6)


def test_ten_crops_are_averaged() -> None:
    """For means over channels, this is the mean over the ten squares."""
    spec = replace(IMAGES, crop="ten", frames=4)
    (snippet,) = snippets(1)
    (row,) = opened(means(spec), spec).features([snippet])
    places = [(4, 10), (0, 0), (0, 20), (8, 0), (8, 20)]
    squares = [snippet[:4, y : y + SIZE, x : x + SIZE] for y, x in places]
    np.testing.assert_allclose(row, (np.stack(squares) / 255).mean((0, 1, 2, 3)), atol=1e-5)


@pytest.mark.parametrize("crop", ["centre", "ten"])
def test_a_row_depends_on_its_snippet_only(crop: str) -> None:
    """Batch, neighbours and repetition have no influence."""
    spec = replace(TWO_STREAMS, crop=crop)
    given = snippets(5)
    rows = [
        np.stack(list(opened(means(spec), spec, batch_snippets=n).features(given)))
        for n in (1, 2, 5, 5)
    ]
    for other in rows[1:]:
        np.testing.assert_allclose(rows[0], other, atol=1e-5)  # sums in another order
    np.testing.assert_array_equal(rows[2], rows[3])


def test_no_more_than_a_batch_is_read_ahead() -> None:
    """A long video does not fill the memory; without snippets there are no rows."""
    read = []

    def source() -> Iterator[np.ndarray]:
        for number, snippet in enumerate(snippets(6)):
            read.append(number)
            yield snippet

    extractor = opened(means(IMAGES), IMAGES, batch_snippets=2)
    next(extractor.features(source()))
    assert read == [0, 1]
    assert list(extractor.features([])) == []


def test_real_clip_has_finite_rows(shared: Callable[[str], Path]) -> None:
    """The video is read as the extractor needs it."""
    extractor: Extractor = opened(means(TWO_STREAMS), TWO_STREAMS, flow_threads=2)
    rows = np.stack(list(video_rows(extractor, shared("data/clips/v_Fencing_g15_c01.avi"))))
    assert rows.shape[1] == extractor.feature_dim == 5
    assert len(rows) > 5
    assert np.isfinite(rows).all()
    assert rows.std(axis=0).min() > 0


def test_wrong_frames_are_refused() -> None:
    """They are too few, or smaller than the crop."""
    extractor = opened(means(IMAGES), IMAGES)
    (snippet,) = snippets(1)
    for wrong in (snippet[:4], snippet[:, :20]):
        with pytest.raises(VideoError, match="expected snippets of 5 frames"):
            list(extractor.features([wrong]))


def test_features_that_are_not_finite_are_an_error() -> None:
    """Only finite values become features."""
    spec = replace(IMAGES, inputs=(replace(IMAGES.inputs[0], scale=1e36),))
    with pytest.raises(ModelError, match="not finite"):
        list(opened(means(spec), spec).features(snippets(1)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (means(replace(IMAGES, inputs=TWO_STREAMS.inputs[:1])), "has the inputs"),
        (means(IMAGES, size=64), r"has NCHW, \[1, 3, 32, 32\].*network has.*64"),
        (means(IMAGES, batch=3), "free batch or 1, got 3"),
        (means(IMAGES, element=TensorProto.FLOAT16), "expected float32"),
        (means(IMAGES, axes=[1]), r"of shape \(N, D\)"),
        (means(IMAGES, axes=[0, 2, 3], keepdims=1), r"of shape \(N, D\)"),
    ],
)
def test_a_spec_that_contradicts_the_network_is_an_error(content: bytes, message: str) -> None:
    """Names, sizes, batch, type and output are compared with the file when it is opened."""
    with pytest.raises(SpecError, match=message):
        opened(content, IMAGES)


def test_missing_output_is_an_error() -> None:
    """The message lists the outputs of the network."""
    with pytest.raises(SpecError, match=r"no output 'logits'; the network has \['features'\]"):
        opened(means(IMAGES), replace(IMAGES, output="logits"))


def test_trailing_axes_of_length_one_are_no_contradiction() -> None:
    """Many networks end in (N, D, 1, 1)."""
    extractor = opened(means(IMAGES, keepdims=1), IMAGES)
    assert extractor.feature_dim == 3


def test_spec_is_beside_or_inside_the_file(tmp_path: Path) -> None:
    """The one inside counts, unless another file is given; the hash is that of the ONNX file."""
    beside, inside = tmp_path / "beside.onnx", tmp_path / "inside.onnx"
    beside.write_bytes(means(IMAGES))
    beside.with_suffix(".json").write_text(IMAGES.to_json())
    loaded = onnx.load(beside)
    loaded.metadata_props.add(key=METADATA_KEY, value=IMAGES.to_json())
    onnx.save(loaded, inside)
    inside.with_suffix(".json").write_text("{}")
    one, other = open_onnx(beside), open_onnx(inside)
    assert one.id == other.id == IMAGES.id
    assert hashlib.sha256(inside.read_bytes()).hexdigest() == other.sha256 != one.sha256
    for rows in zip(one.features(snippets(2)), other.features(snippets(2)), strict=True):
        np.testing.assert_array_equal(*rows)
    ten = tmp_path / "ten.json"
    ten.write_text(replace(IMAGES, crop="ten").to_json())
    assert open_onnx(inside, ten).spec.crop == "ten"


def test_missing_files_and_other_files_are_errors(tmp_path: Path) -> None:
    """Each of path, spec and network has a message."""
    path = tmp_path / "means.onnx"
    with pytest.raises(ModelNotFoundError, match=r"means\.onnx"):
        open_onnx(path)
    path.write_bytes(means(IMAGES))
    with pytest.raises(ModelNotFoundError, match=r"means\.json.*export-extractor"):
        open_onnx(path)
    path.write_bytes(b"text")
    with pytest.raises(ModelError, match="not a readable ONNX"):
        open_onnx(path)


def test_network_that_fails_on_an_input_is_an_error() -> None:
    """If the file leaves sizes free, it may contradict the spec only when it runs."""
    spec = replace(IMAGES, output="flat")
    content = means(IMAGES, size="any")
    loaded = onnx.load_from_string(content)
    fixed = helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 3 * 64 * 64])
    loaded.graph.initializer.append(fixed)
    loaded.graph.node.append(helper.make_node("Reshape", ["image", "shape"], ["flat"]))
    loaded.graph.output[0].name = "flat"
    with pytest.raises(ModelError, match="failed on inputs"):
        list(opened(loaded.SerializeToString(), spec).features(snippets(1)))
