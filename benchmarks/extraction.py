"""Frames per second of decoding, of optical flow and of the `motion` extractor.

    python benchmarks/extraction.py VIDEO [VIDEO ...]
    python benchmarks/extraction.py            (on a generated video of moving noise)
    python benchmarks/extraction.py --backbones [torchvision:s3d timm:resnet18 ...]

Rates count the frames of the video at 25 frames per second, also if an extractor uses only some of
them. The real-time factor is the number of seconds of video that one second of computing covers.
All rates are medians of several runs in one process.

With `--backbones`, networks with random weights are compared with `motion` in the same run, on one
thread and on decoded snippets. Names that are not given are those of `BACKBONES`.
"""

import argparse
import os
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import cv2
import numpy as np
import torch
from record import Record, add_json_option
from timing import median_s, medians_s

from features.backbone.export import write_backbone
from features.backbone.extractor import BATCH_SNIPPETS, open_onnx
from features.backbone.libraries.named import build_backbone
from features.backbone.libraries.request import ClipRequest
from features.extraction import extract
from features.extractors import Extractor, snippet_clock
from features.flow.opencv import DenseFlow, FlowMethod, to_grey
from features.flow.tvl1 import Tvl1Flow
from features.motion import MotionExtractor
from features.video.reading import probe, read_snippets
from model.errors import LocalizerError
from model.inference.engine import EngineConfig

PLAYING, PLAYING_FPS = "playing the video", 25.0
FRAMES = PLAYING_FPS * MotionExtractor.snippet_frames / MotionExtractor.rate_fps
"""Frames of a video of 25 frames per second that one snippet of `motion` covers."""
TVL1_PAIRS = 4
"""Number of timed pairs of frames; few, because TV-L1 takes about 1 s a pair at 340 x 256."""
PATIENCE_S = 2.0
"""Work that takes longer in its first run is not repeated."""
BACKBONES = (
    "timm:mobilenetv3_small_100",
    "timm:resnet50",
    "torchvision:r2plus1d_18",
    "torchvision:s3d",
    "torchvision:swin3d_t",
    "torchvision:mvit_v2_s",
)
"""Networks that `--backbones` compares; those of libraries that are absent are passed over."""
COPIES = 4
"""Number of times that each video is extracted in the test of a whole extraction."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("videos", type=Path, nargs="*")
    parser.add_argument(
        "--repeats", type=int, default=3, help="timed runs, of which the median counts"
    )
    parser.add_argument("--backbones", nargs="*", help="compare these with `motion`, and stop")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.backbones is not None:
        record = Record("Backbones", ["motion"])
        compare_backbones(record, arguments.backbones or BACKBONES, arguments.repeats)
    else:
        record = Record("From video to features", [PLAYING])
        measure(record, arguments.videos, arguments.repeats, arguments.workers)
    record.finish(arguments.json)


def measure(record: Record, videos: list[Path], repeats: int, workers: int) -> None:
    """Adds the rates on each video, and that of a whole extraction."""
    with tempfile.TemporaryDirectory() as folder:
        videos = videos or [moving_noise(Path(folder) / "noise.mp4", seconds=30)]
        for video in videos:
            info = probe(video)
            case = f"{video.name}, {info.codec}, {info.width} x {info.height}, {info.fps:g} fps"
            record.add(case, PLAYING, {"frames/s": PLAYING_FPS})
            for form, rate in rates(video, repeats):
                record.add(case, form, {"frames/s": rate})
        case = f"all videos {COPIES} times, with hashing and writing"
        record.add(case, PLAYING, {"frames/s": PLAYING_FPS})
        rate = together(videos, Path(folder) / "features", workers)
        record.add(case, f"extract, {workers} workers", {"frames/s": rate})


def compare_backbones(record: Record, names: Sequence[str], repeats: int) -> None:
    """Adds the rate of each backbone and of `motion`."""
    with tempfile.TemporaryDirectory() as folder:
        video = moving_noise(Path(folder) / "noise.mp4", seconds=6)
        extractors: dict[str, Extractor] = {"motion": MotionExtractor()}
        for name in names:
            path = Path(folder) / "backbone.onnx"
            try:
                backbone = build_backbone(name, ClipRequest(), "random")
                write_backbone(backbone.network, backbone.spec, path)
            except LocalizerError as error:
                print(f"{name}: {error}")
                continue
            extractors[name] = open_onnx(path, engine=EngineConfig(device="cpu", threads=1))
        works = {name: extraction_of(extractor, video) for name, extractor in extractors.items()}
        for name, time_s in medians_s(works, repeats).items():
            video_s = BATCH_SNIPPETS * snippet_clock(extractors[name]).snippet_s
            record.add("one thread", name, {"frames/s": PLAYING_FPS * video_s / time_s})


def extraction_of(extractor: Extractor, video: Path) -> Callable[[], object]:
    """Returns a function that computes one batch of features from decoded snippets."""
    snippets = read_snippets(
        video,
        rate_fps=extractor.rate_fps,
        snippet_frames=extractor.snippet_frames,
        clip_frames=extractor.clip_frames,
        short_side=extractor.short_side,
    )
    batch = list(islice(snippets, BATCH_SNIPPETS))
    return lambda: list(extractor.features(batch))


def rates(video: Path, repeats: int) -> Iterator[tuple[str, float]]:
    """Yields names and rates, in frames per second, of all that is measured on one video."""
    motion = MotionExtractor()

    def snippets(short_side: int, threads: int) -> Iterator[np.ndarray]:
        return read_snippets(
            video, rate_fps=25, snippet_frames=16, short_side=short_side, threads=threads
        )

    def as_motion(threads: int) -> Iterator[np.ndarray]:
        return read_snippets(
            video,
            rate_fps=motion.rate_fps,
            snippet_frames=motion.snippet_frames,
            short_side=motion.short_side,
            threads=threads,
        )

    def decode(short_side: int, threads: int) -> int:
        return 16 * sum(1 for _ in snippets(short_side, threads))

    for short_side in (motion.short_side, 256):
        for threads in (1, 0):
            name = f"decode to {short_side}, {'one thread' if threads else 'threads as cores'}"
            yield name, rate(lambda s=short_side, t=threads: decode(s, t), repeats)
    some = list(islice(snippets(motion.short_side, 0), 40))
    large = list(islice(snippets(256, 0), 2))[-1]  # flow across a cut would be arbitrary
    for snippet, size in ((some[len(some) // 2], "at 128"), (large, "at 256")):
        yield from flow_rates(to_grey(snippet), size, repeats)
        yield from torch_rates(to_grey(snippet), size, repeats)
    decoded = list(islice(as_motion(0), 40))
    yield (
        "motion, decoded snippets, one thread",
        rate(lambda: FRAMES * len(list(motion.features(decoded))), repeats),
    )
    yield (
        "motion with decoding, one thread",
        rate(lambda: FRAMES * len(list(motion.features(as_motion(1)))), repeats),
    )


def flow_rates(grey_FHW: np.ndarray, size: str, repeats: int) -> Iterator[tuple[str, float]]:
    methods: tuple[FlowMethod, ...] = ("dis", "tvl1")
    for method in methods:
        for threads in (1, os.cpu_count() or 1):
            flow = DenseFlow(method, threads=threads)
            frames_FHW = grey_FHW if method == "dis" else grey_FHW[: TVL1_PAIRS + 1]
            yield (
                f"flow {method} {size}, {threads} thread{'s' * (threads > 1)}",
                rate(lambda f=flow, x=frames_FHW: len(f(x)), repeats),
            )


def torch_rates(grey_FHW: np.ndarray, size: str, repeats: int) -> Iterator[tuple[str, float]]:
    """Yields the rates of TV-L1 in torch, on a CPU for few pairs and on a GPU for all of them."""
    few_FHW = grey_FHW[: TVL1_PAIRS + 1]
    on_cpu, threads = Tvl1Flow("cpu"), torch.get_num_threads()
    name = f"flow tvl1 in torch {size}, {threads} thread{'s' * (threads > 1)}"
    yield name, rate(lambda: len(on_cpu(few_FHW)), repeats)
    apart_px = np.linalg.norm(on_cpu(few_FHW) - DenseFlow("tvl1")(few_FHW), axis=-1)
    print(
        f"  (mean difference of tvl1 {size} in torch and in OpenCV: {apart_px.mean():.4f} pixels)"
    )
    if not torch.cuda.is_available():
        return
    on_gpu = Tvl1Flow("cuda")
    yield f"flow tvl1 in torch {size}, CUDA", rate(lambda: len(on_gpu(grey_FHW)), repeats)


def rate(work: Callable[[], float], repeats: int) -> float:
    """Returns the median rate in frames per second; `work` returns its number of frames."""
    frames: list[float] = []
    time_s = median_s(lambda: frames.append(work()), repeats, patience_s=PATIENCE_S)
    return frames[0] / time_s


def together(videos: list[Path], out: Path, workers: int) -> float:
    """Returns the rate of a whole extraction in frames per second, with the start of workers."""
    copies = {f"{n}-{video.stem}": video for n in range(COPIES) for video in videos}
    start_s = time.perf_counter()
    outcomes = list(extract(copies, out, extractor="motion", workers=workers))
    return FRAMES * sum(outcome.snippets for outcome in outcomes) / (time.perf_counter() - start_s)


def moving_noise(path: Path, *, seconds: int) -> Path:
    """Writes a video of 340 x 256 pixels at 25 fps in which a smooth texture moves."""
    noise = np.random.default_rng(0).integers(0, 256, (400, 600, 3), dtype=np.uint8)
    texture = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 4), None, 0, 255, cv2.NORM_MINMAX)
    with av.open(str(path), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width, video.height, video.pix_fmt = 340, 256, "yuv420p"
        for number in range(25 * seconds):
            x, y = (round(60 * (1 + np.sin(number / period))) for period in (9, 13))
            image = np.ascontiguousarray(texture[y : y + 256, x : x + 340])
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(video.encode(frame))
        container.mux(video.encode())
    return path


if __name__ == "__main__":
    main()
