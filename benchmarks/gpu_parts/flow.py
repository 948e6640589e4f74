"""TV-L1 flow in torch, I3D in onnxruntime, and a video on its way to features.

Axes: F frames, P pairs, H height, W width, X the displacement along x and y, N clips, C channels.
"""

import functools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from onnxruntime import InferenceSession
from torch.nn import functional

from features.backbone.i3d import FLOW_CHANNELS, RGB_CHANNELS, I3d, TwoStreamI3d
from features.backbone.spec import METADATA_KEY, BackboneSpec, i3d_spec
from features.flow.tvl1 import Tvl1Flow
from gpu_parts import models
from gpu_parts.bench import Bench
from gpu_parts.card import median_s
from model.inference.cores import cores
from model.inference.engine import EngineConfig, open_session
from model.snippets import SNIPPET_FRAMES

NEAR_PX = 0.1
"""Largest mean distance between two flows that count as equal."""
I3D_TOLERANCE = 1e-3
"""Largest difference of I3D's features from torch on the CPU, relative to the largest: 22 layers
follow each other, where the localizer has three."""
FLOW_FEATURES_TOLERANCE = 0.02
"""Largest difference between features with OpenCV's and torch's flow, relative to the largest."""
_EDGE_PX = 8
"""At the edges of a frame nothing is known of what moves in."""
_CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "clips"
_HAS_OPENCV, _HAS_AV = (find_spec(name) is not None for name in ("cv2", "av"))


def run(bench: Bench) -> None:
    """Runs the part."""
    bench.steps(
        flow_finds_drawn_motion,
        flow_equals_the_cpus,
        flow_equals_opencvs,
        time_flow,
        i3d_equals_torch,
        time_i3d,
        video_becomes_features,
    )


def moving(bench: Bench, x_px: float, y_px: float, frames: int) -> NDArray[np.uint8]:
    """Returns frames (F, H, W) of a smooth random texture that moves by so much a frame."""
    sizes, generator = bench.sizes, torch.Generator().manual_seed(0)
    margins = [_EDGE_PX + math.ceil(abs(step) * frames) for step in (y_px, x_px)]
    lengths = [size + 2 * margin for size, margin in
               zip((sizes.frame_height, sizes.frame_width), margins, strict=True)]  # fmt: skip
    coarse = torch.rand([1, 1, *(length // 8 + 2 for length in lengths)], generator=generator)
    texture = functional.interpolate(coarse, scale_factor=8, mode="bicubic").clamp(0, 1)
    frame = torch.arange(frames, dtype=torch.float64)[:, None, None]
    ys = torch.arange(sizes.frame_height)[None, :, None] + margins[0] - frame * y_px
    xs = torch.arange(sizes.frame_width)[None, None] + margins[1] - frame * x_px
    places = (2 * (xs + 0.5) / texture.shape[3] - 1, 2 * (ys + 0.5) / texture.shape[2] - 1)
    grid_FHWX = torch.stack(torch.broadcast_tensors(*places), dim=-1)
    texture_FCHW = texture.double().expand(frames, -1, -1, -1)
    drawn = functional.grid_sample(texture_FCHW, grid_FHWX, mode="bicubic", align_corners=False)
    return (255 * drawn[:, 0].clamp(0, 1)).round().to(torch.uint8).numpy()


def distance_px(one_PHWX: NDArray[np.float32], other_PHWX: NDArray[np.float32]) -> float:
    """Returns the largest over the pairs of the mean distance between two flows."""
    return float(np.linalg.norm(one_PHWX - other_PHWX, axis=-1).mean(axis=(1, 2)).max())


def flow_finds_drawn_motion(bench: Bench) -> None:
    """Compares the flow of a texture with the motion that it was drawn with."""
    flow = Tvl1Flow(bench.device)
    inside = slice(_EDGE_PX, -_EDGE_PX)
    for x_px, y_px in bench.sizes.flow_shifts_px:
        found_PHWX = flow(moving(bench, x_px, y_px, 2))[:, inside, inside]
        true_PHWX = np.broadcast_to(np.float32((x_px, y_px)), found_PHWX.shape)
        apart_px = distance_px(found_PHWX, true_PHWX)
        bench.at_most(f"flow of a drawn motion of {x_px:g}, {y_px:g}", apart_px, NEAR_PX, "px")


def flow_equals_the_cpus(bench: Bench) -> None:
    """Compares device and CPU, and pairs together with pairs alone, which agree to the bit."""
    frames_FHW = np.concatenate([moving(bench, 3, 1, 2), moving(bench, 0.2, 0.1, 2)])
    found_PHWX = Tvl1Flow(bench.device)(frames_FHW)
    apart_px = distance_px(found_PHWX, Tvl1Flow("cpu")(frames_FHW))
    bench.at_most("flow against that of the CPU", apart_px, NEAR_PX, "px")
    alone_PHWX = Tvl1Flow(bench.device, pairs=1)(frames_FHW)
    bench.expect("a pair has the same flow in any batch", np.array_equal(found_PHWX, alone_PHWX))


def flow_equals_opencvs(bench: Bench) -> None:
    """Compares with OpenCV, on drawn motion and on a clip, as far as they are there."""
    if not _HAS_OPENCV:
        bench.note("flow against OpenCV", "skipped: OpenCV is absent")
        return
    from features.flow.opencv import DenseFlow

    compared = {"drawn motion": moving(bench, 1.5, -0.5, 3)}
    clips = sorted(_CLIPS.glob("*.avi")) if _HAS_AV else []
    if clips:
        compared[clips[0].name] = _clip(clips[0], bench.sizes.frame_height)
    else:
        bench.note("flow of a clip against OpenCV", "skipped: no clip, or no PyAV to read it")
    for name, frames_FHW in compared.items():
        apart_px = distance_px(Tvl1Flow(bench.device)(frames_FHW), DenseFlow("tvl1")(frames_FHW))
        bench.at_most(f"flow against OpenCV, {name}", apart_px, NEAR_PX, "px")


def _clip(path: Path, short_side: int) -> NDArray[np.uint8]:
    """Returns the first grey frames of a clip."""
    from features.flow.opencv import to_grey
    from features.video.reading import read_snippets

    snippets = read_snippets(path, rate_fps=25, snippet_frames=3, short_side=short_side)
    return to_grey(next(iter(snippets)))


def time_flow(bench: Bench) -> None:
    """Times pairs of frames in batches of several sizes."""
    for pairs in bench.sizes.flow_pairs:
        frames_FHW = moving(bench, 1.5, -0.5, pairs + 1)
        flow = Tvl1Flow(bench.device, pairs=pairs)
        elapsed_s = median_s(
            lambda flow=flow, frames=frames_FHW: flow(frames),
            bench.device,
            bench.sizes.video_turns,
        )
        bench.figure(f"flow, {pairs} pairs at once", pairs / elapsed_s, "pairs/s")


def i3d() -> TwoStreamI3d:
    """Returns I3D with random weights, always the same."""
    torch.manual_seed(0)
    return TwoStreamI3d(I3d(RGB_CHANNELS), I3d(FLOW_CHANNELS)).eval()


def spec_of(bench: Bench) -> BackboneSpec:
    """Returns what I3D sees, in frames of the bench's size."""
    return replace(i3d_spec(), short_side=bench.sizes.frame_height, size=bench.sizes.crop)


def i3d_file(bench: Bench) -> Path:
    """Returns the ONNX file of that network, written at the first call."""
    path = bench.scratch / "i3d.onnx"
    if not path.exists():
        spec = spec_of(bench)
        models.trace(
            i3d(),
            tuple(torch.zeros(spec.shape(wanted, batch=2)) for wanted in spec.inputs),
            path,
            names=([wanted.name for wanted in spec.inputs], [spec.output]),
            free=({0: "batch"}, {0: "batch"}),
            metadata={METADATA_KEY: spec.to_json()},
        )
    return path


@functools.cache
def i3d_session(bench: Bench) -> InferenceSession:
    """Returns I3D in onnxruntime on the device."""
    config = EngineConfig(bench.device, require_cuda=bench.device == "cuda")
    return open_session(i3d_file(bench).read_bytes(), config)


def clips(spec: BackboneSpec, batch: int) -> dict[str, NDArray[np.float32]]:
    """Returns inputs of I3D, in [-1, 1]."""
    rng = np.random.default_rng(0)
    return {
        wanted.name: rng.uniform(-1, 1, spec.shape(wanted, batch=batch)).astype(np.float32)
        for wanted in spec.inputs
    }


def i3d_equals_torch(bench: Bench) -> None:
    """Compares the features of two snippets with those of torch on the CPU."""
    spec = spec_of(bench)
    given = clips(spec, 2)
    with torch.inference_mode():
        expected_ND = i3d()(*map(torch.from_numpy, given.values())).numpy()
    found_ND = i3d_session(bench).run([spec.output], given)[0]
    apart = float(np.abs(found_ND - expected_ND).max() / np.abs(expected_ND).max())
    bench.at_most("I3D against torch on the CPU", apart, I3D_TOLERANCE)


def time_i3d(bench: Bench) -> None:
    """Times both streams of I3D on batches of several sizes."""
    session = i3d_session(bench)
    for batch in bench.sizes.i3d_batches:
        given = clips(spec_of(bench), batch)
        elapsed_s = median_s(
            lambda given=given: session.run(None, given), bench.device, bench.sizes.turns
        )
        bench.figure(f"I3D, {batch} snippets at once", batch / elapsed_s, "snippets/s")


def video_becomes_features(bench: Bench) -> None:
    """Times decoding, flow and network of a video, alone and together; compares the features."""
    if not (_HAS_OPENCV and _HAS_AV):
        bench.note("video to features", "skipped: it needs OpenCV and PyAV")
        return
    from features.backbone.extractor import OnnxExtractor
    from features.flow.opencv import to_grey
    from features.video.reading import read_snippets

    video = _film(bench)
    session, spec, flow = i3d_session(bench), spec_of(bench), Tvl1Flow(bench.device)
    extractor = OnnxExtractor(session, spec, "random", tvl1=flow)

    def snippets() -> Iterator[NDArray[np.uint8]]:
        return read_snippets(
            video,
            rate_fps=extractor.rate_fps,
            snippet_frames=extractor.snippet_frames,
            short_side=extractor.short_side,
        )

    decoded = list(snippets())
    batch = min(len(decoded), max(bench.sizes.i3d_batches))
    given = clips(spec, batch)
    stages = {
        "decoding": (len(decoded), lambda: list(snippets())),
        "flow": (1, lambda: flow(to_grey(decoded[0]))),
        "network": (batch, lambda: session.run(None, given)),
    }
    _report_stages(bench, stages)
    _report(bench, "video to features", len(decoded), lambda: list(extractor.features(snippets())))
    by_opencv = OnnxExtractor(session, spec, "random", flow_threads=cores())
    (expected_D,), (found_D,) = (list(one.features(decoded[:1])) for one in (by_opencv, extractor))
    apart = float(np.abs(found_D - expected_D).max() / np.abs(expected_D).max())
    bench.at_most("features with flow of OpenCV and of the device", apart, FLOW_FEATURES_TOLERANCE)


def _report_stages(bench: Bench, stages: Mapping[str, tuple[int, Callable[[], object]]]) -> None:
    """Reports the rate of each stage alone, and names the slowest."""
    rates = {
        name: _report(bench, f"{name} alone", snippets, work)
        for name, (snippets, work) in stages.items()
    }
    slowest = min(rates, key=lambda name: rates[name])
    bench.note("video to features, limit", f"{slowest}, at {rates[slowest]:.3g} snippets/s")


def _report(bench: Bench, name: str, snippets: int, work: Callable[[], object]) -> float:
    rate = snippets / median_s(work, bench.device, bench.sizes.video_turns)
    bench.figure(name, rate, "snippets/s")
    return rate


def _film(bench: Bench) -> Path:
    """Returns a video of the drawn texture, at 25 frames a second."""
    import av

    path = bench.scratch / "film.mp4"
    frames = moving(bench, 0.7, 0.3, SNIPPET_FRAMES * bench.sizes.video_snippets + 1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.height, stream.width = frames.shape[1:]
        stream.pix_fmt = "yuv420p"
        for number, frame_HW in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(np.stack([frame_HW] * 3, axis=-1), format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
