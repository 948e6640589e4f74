"""Features from a backbone in ONNX: the two-stream I3D, or any other image or video network.

A `BackboneSpec` describes its preprocessing.

Axes: S snippets, F frames, T input frames of the network, H height, W width, C channels: red, green
and blue, or the displacements along x and y; D feature channels.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnxruntime import InferenceSession

from features.backbone.spec import METADATA_KEY, BackboneSpec, Stream
from features.backbone.views import VIEWS, View, as_input, cut_view
from features.flow.opencv import DenseFlow, FlowEngine, as_i3d_expects, to_grey
from model.errors import ModelError, ModelNotFoundError, SpecError, VideoError
from model.inference.engine import EngineConfig, open_session
from model.whole_file import sha256_of

Clip: TypeAlias = dict[Stream, NDArray[np.generic]]
"""The input frames of one snippet, (T, H, W, C) in each stream."""

Shape: TypeAlias = list[int | str | None]
"""A shape in onnxruntime: a free axis has a name or None."""

BATCH_SNIPPETS = 4
"""Snippets in a batch. I3D needs about 200 MB for each. On a CPU, single snippets are as fast."""


class OnnxExtractor:
    """An extractor that runs a backbone; each row depends on its own snippet only."""

    def __init__(
        self,
        session: InferenceSession,
        spec: BackboneSpec,
        sha256: str,
        *,
        batch_snippets: int = BATCH_SNIPPETS,
        flow_threads: int = 1,
        tvl1: FlowEngine | None = None,
    ) -> None:
        """Checks the spec against the network; `open_onnx` reads both from files.

        Args:
            session: the network.
            spec: the preprocessing.
            sha256: SHA-256 of the ONNX file.
            batch_snippets: snippets in a batch.
            flow_threads: threads of optical flow in OpenCV.
            tvl1: computes TV-L1 flow, if the spec has it; OpenCV if not given.

        Raises:
            SpecError: the spec contradicts the network.
        """
        self.spec, self.sha256 = spec, sha256
        self._session = session
        self._batch_snippets = batch_snippets
        self._streams = sorted({wanted.stream for wanted in spec.inputs})
        self._flows: dict[Stream, FlowEngine] = {
            stream: tvl1 if stream == "tvl1" and tvl1 else DenseFlow(stream, threads=flow_threads)
            for stream in self._streams
            if stream != "rgb"
        }
        declared = {node.name: (node.shape, node.type) for node in session.get_inputs()}
        _check_inputs(spec, declared)
        self._single = any(shape[0] == 1 for shape, _ in declared.values())
        self.feature_dim = self._feature_dim()

    @property
    def id(self) -> str:
        """Name of the backbone and a hash of its spec."""
        return self.spec.id

    @property
    def rate_fps(self) -> float:
        """Frame rate of the snippets, in frames a second."""
        return self.spec.rate_fps

    @property
    def snippet_frames(self) -> int:
        """Frames from the start of a snippet to the start of the next."""
        return self.spec.snippet_frames

    @property
    def clip_frames(self) -> int:
        """Frames of the clip around a snippet."""
        return self.spec.clip_length

    @property
    def short_side(self) -> int:
        """Pixels of the shorter side of a frame."""
        return self.spec.short_side

    @property
    def flow_methods(self) -> tuple[Stream, ...]:
        """Kinds of optical flow in the inputs."""
        return tuple(self._flows)

    def features(self, snippets: Iterable[NDArray[np.uint8]]) -> Iterator[NDArray[np.float32]]:
        """Yields the row (D,) of each snippet (clip_frames + 1, H, W, 3), in order.

        Raises:
            VideoError: the frames are smaller than the crop, or too few.
            ModelError: the network fails, or a feature is not finite.
        """
        source = iter(snippets)
        while batch := list(islice(source, self._batch_snippets)):
            yield from self._rows(batch)

    def _rows(self, snippets: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Returns the features, (S, D): the mean over all views, computed one view at a time."""
        clips = [self._clip(snippet_FHWC) for snippet_FHWC in snippets]
        views = VIEWS[self.spec.crop]
        rows_SD = np.zeros((len(snippets), self.feature_dim), np.float32)
        for view in views:
            rows_SD += self._run([self._crop(clip, view) for clip in clips])
        if not np.isfinite(rows_SD).all():
            raise ModelError(f"the features of the backbone {self.id} are not finite")
        return rows_SD / np.float32(len(views))

    def _clip(self, snippet_FHWC: NDArray[np.uint8]) -> Clip:
        """Returns the input frames (T, H, W, C) of each stream."""
        frames, height, width, _ = snippet_FHWC.shape
        if frames != self.clip_frames + 1 or min(height, width) < self.spec.size:
            raise VideoError(
                f"expected snippets of {self.clip_frames + 1} frames, at least "
                f"{self.spec.size} pixels a side; got {frames} of {width} x {height}"
            )
        clip: Clip = {"rgb": snippet_FHWC[self.spec.picks]}
        for name, flow in self._flows.items():
            clip[name] = as_i3d_expects(flow(to_grey(snippet_FHWC)))[self.spec.picks]
        return clip

    def _crop(self, clip: Clip, view: View) -> Clip:
        """Returns a view of each stream, (T, size, size, C)."""
        return {
            stream: cut_view(clip[stream], view, self.spec.size, moves=stream != "rgb")
            for stream in self._streams
        }

    def _run(self, clips: Sequence[Clip]) -> NDArray[np.float32]:
        """Returns the rows, (S, D), of one view of each snippet."""
        feeds = {
            wanted.name: as_input(np.stack([clip[wanted.stream] for clip in clips]), wanted)
            for wanted in self.spec.inputs
        }
        output = self._infer(feeds)
        images = self.spec.seen_frames if self.spec.takes_images else 1
        if output.ndim < 2 or output.size != len(clips) * images * output.shape[1]:
            raise SpecError(
                f"expected output {self.spec.output!r} of shape (N, D) with N = "
                f"{len(clips) * images}, got {output.shape}"
            )
        rows_STD = output.reshape(len(clips), images, -1)
        return rows_STD.mean(axis=1) if self.spec.pooling == "mean" else rows_STD.max(axis=1)

    def _infer(self, feeds: dict[str, NDArray[np.float32]]) -> NDArray[np.float32]:
        """Returns the output of the network; runs it once for each clip if its batch size is 1."""
        clips = len(next(iter(feeds.values())))
        step = 1 if self._single else clips
        parts = [
            {name: values[at : at + step] for name, values in feeds.items()}
            for at in range(0, clips, step)
        ]
        try:
            outputs = [self._session.run([self.spec.output], part)[0] for part in parts]
        except Exception as error:  # the errors of onnxruntime have no base class of their own
            shapes = {name: values.shape for name, values in parts[0].items()}
            reason = str(error).splitlines()[0]
            raise ModelError(f"the backbone failed on inputs {shapes}: {reason}") from error
        return np.concatenate(outputs).astype(np.float32, copy=False)

    def _feature_dim(self) -> int:
        """Returns D as declared in the file; if it is free, as measured on a black snippet."""
        shapes = {node.name: node.shape for node in self._session.get_outputs()}
        if self.spec.output not in shapes:
            raise SpecError(f"no output {self.spec.output!r}; the network has {sorted(shapes)}")
        shape = shapes[self.spec.output]
        if len(shape) == 2 and isinstance(shape[1], int):
            return shape[1]
        frame_shape = (self.spec.seen_frames, self.spec.size, self.spec.size)
        black: Clip = {
            wanted.stream: np.zeros((*frame_shape, wanted.channels), np.float32)
            for wanted in self.spec.inputs
        }
        return self._run([black]).shape[1]


def open_onnx(
    path: Path,
    spec_path: Path | None = None,
    *,
    engine: EngineConfig | None = None,
    flow_threads: int = 1,
    tvl1: FlowEngine | None = None,
) -> OnnxExtractor:
    """Returns the extractor of an ONNX file: I3D of `ecm export-extractor`, or any other backbone.

    Args:
        path: the ONNX file.
        spec_path: a JSON file with the spec. If not given, the spec is in the metadata of the ONNX
            file, or else in the file of the same name with the suffix .json.
        engine: options of onnxruntime.
        flow_threads: threads of optical flow in OpenCV.
        tvl1: computes TV-L1 flow, if the spec has it; OpenCV if not given.

    Raises:
        ModelNotFoundError: the file or its spec does not exist.
        ModelError: the file is not an ONNX network.
        SpecError: the spec cannot be read, or contradicts the network.
        DeviceError: CUDA is required and not available.
    """
    content = _read(path)
    session = open_session(content, engine or EngineConfig())
    text: str | bytes | None = session.get_modelmeta().custom_metadata_map.get(METADATA_KEY)
    if text is None or spec_path is not None:
        text = _read(spec_path or path.with_suffix(".json"))
    spec = BackboneSpec.from_json(text)
    return OnnxExtractor(session, spec, sha256_of(content), flow_threads=flow_threads, tvl1=tvl1)


def _read(path: Path) -> bytes:
    if not path.is_file():
        raise ModelNotFoundError(
            f"there is no file {path}; expected an ONNX file from `ecm export-extractor`, or any "
            "other with a JSON file beside it (docs/howto/extractors.md)"
        )
    return path.read_bytes()


def _check_inputs(spec: BackboneSpec, declared: Mapping[str, tuple[Shape, str]]) -> None:
    """Checks the names, types and shapes of the inputs of the network.

    Raises:
        SpecError: they differ from those in the spec.
    """
    if set(declared) != {wanted.name for wanted in spec.inputs}:
        names = sorted(wanted.name for wanted in spec.inputs)
        raise SpecError(f"the spec has the inputs {names}, but the network {sorted(declared)}")
    for wanted in spec.inputs:
        shape, kind = declared[wanted.name]
        expected = spec.shape(wanted)
        if kind != "tensor(float)":
            raise SpecError(f"input {wanted.name!r}: expected float32, but the network has {kind}")
        if len(shape) != len(expected) or not all(map(_agree, shape[1:], expected[1:])):
            raise SpecError(
                f"input {wanted.name!r}: the spec has {wanted.layout}, {expected} for one; the "
                f"network has {shape}"
            )
        if isinstance(shape[0], int) and shape[0] != 1:
            raise SpecError(f"input {wanted.name!r}: expected a free batch or 1, got {shape[0]}")


def _agree(size: int | str | None, expected: int) -> bool:
    """Returns whether a declared size is free or the expected one."""
    return not isinstance(size, int) or size == expected
