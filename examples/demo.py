"""The main job from start to end: simulate, train, evaluate, export, serve, localize, draw.

Each step is a command that users run themselves, and is printed before it runs. All files are in
demo/. A second run resumes the training and reuses the rest.
"""

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from steps import announce, ecm, free_port, served

from ecm_localizer import Client, LocalizerError, Segment
from training.datasets.layouts.native import read_native
from training.measurement.metrics import detection_score

ROOT = Path("demo")
ANNOTATIONS, FEATURES = ROOT / "data" / "annotations.json", ROOT / "data" / "features"
RUN, MODELS = ROOT / "run", ROOT / "models"
PLOT = ROOT / "localized.png"
SHOWN_VIDEO = "validation_003"
DATA = ("--annotations", str(ANNOTATIONS), "--features", str(FEATURES))


def main() -> None:
    start_s = time.monotonic()
    announce("1/6", "simulate videos: features and tags of 120 untrimmed videos")
    if not ANNOTATIONS.exists():
        ecm("simulate", "--out", ROOT / "data")
    announce("2/6", "train from the tags alone")
    ecm("fit", "--preset", "demo", *DATA, "--out", RUN)
    announce("3/6", "measure on validation videos, whose true times are known")
    ecm("evaluate", RUN, *DATA)
    announce("4/6", "export to ONNX")
    if not (MODELS / "demo").exists():
        ecm("export", RUN, "--repository", MODELS, "--name", "demo")
    announce("5/6", "serve, and localize over HTTP")
    words = ("--repository", MODELS, "--data", ROOT / "service")
    with served(ROOT / "service.log", *words, port=free_port()) as (url, _):
        ecm("localize", FEATURES / f"{SHOWN_VIDEO}.npy", "--url", url, "--format", "table")
        print_map(localize_all(url))
    announce("6/6", "draw")
    ecm("plot", RUN, *DATA, "--video", SHOWN_VIDEO, "--min-score", "0.3", "--out", PLOT)
    print(f"\ndone in {time.monotonic() - start_s:.0f} s; the plot is {PLOT}")
    print("to look at videos and their segments in the browser: make demo-page")
    print(f"or at this model: ecm serve --repository {MODELS}, then http://127.0.0.1:8000/")


def localize_all(url: str) -> Mapping[str, Sequence[Segment]]:
    """Returns the segments of every validation video, by its id."""
    ids = [video.id for video in read_native(ANNOTATIONS, FEATURES).subset("validation").videos]
    segments = {}
    with Client(url) as client:
        results = client.localize_many([FEATURES / f"{id_}.npy" for id_ in ids])
        for id_, result in zip(ids, results, strict=True):
            if isinstance(result, LocalizerError):
                raise result
            segments[id_] = result
    return segments


def print_map(segments: Mapping[str, Sequence[Segment]]) -> None:
    videos = read_native(ANNOTATIONS, FEATURES).subset("validation").videos
    truth = {video.id: video.instances for video in videos}
    score = detection_score(truth, segments, (0.3, 0.5, 0.7))
    columns = zip(score.tiou_K, score.map_K, strict=True)
    print(f"{len(videos)} videos over HTTP: "
          + ", ".join(f"mAP@{tiou} {100 * value:.1f} %" for tiou, value in columns))  # fmt: skip


if __name__ == "__main__":
    main()
