"""The main job from start to end: simulate, train, evaluate, export, serve, localize, draw.

Each step is a command that users run themselves, and is printed before it runs. All files are in
demo/. A second run resumes the training and reuses the rest.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from ecm_localizer import Client, LocalizerError, LocalizerServiceError, Segment
from training.datasets.layouts.native import read_native
from training.measurement.metrics import detection_score

ROOT = Path("demo")
ANNOTATIONS, FEATURES = ROOT / "data" / "annotations.json", ROOT / "data" / "features"
RUN, MODELS = ROOT / "run", ROOT / "models"
PLOT = ROOT / "localized.png"
SHOWN_VIDEO = "validation_003"
DATA = ("--annotations", str(ANNOTATIONS), "--features", str(FEATURES))
READY_S = 30


def main() -> None:
    start_s = time.monotonic()
    announce(1, "simulate videos: features and tags of 120 untrimmed videos")
    if not ANNOTATIONS.exists():
        ecm("simulate", "--out", ROOT / "data")
    announce(2, "train from the tags alone")
    ecm("fit", "--preset", "demo", *DATA, "--out", RUN)
    announce(3, "measure on validation videos, whose true times are known")
    ecm("evaluate", RUN, *DATA)
    announce(4, "export to ONNX")
    if not (MODELS / "demo").exists():
        ecm("export", RUN, "--repository", MODELS, "--name", "demo")
    announce(5, "serve, and localize over HTTP")
    with served() as url:
        ecm("localize", FEATURES / f"{SHOWN_VIDEO}.npy", "--url", url)
        print_map(localize_all(url))
    announce(6, "draw")
    ecm("plot", RUN, *DATA, "--video", SHOWN_VIDEO, "--min-score", "0.3", "--out", PLOT)
    print(f"\ndone in {time.monotonic() - start_s:.0f} s; the plot is {PLOT}")


def announce(step: int, subject: str) -> None:
    print(f"\n[{step}/6] {subject}", flush=True)


def ecm(*words: object) -> None:
    print("$ ecm", *words, flush=True)
    subprocess.run([*command(), *map(str, words)], check=True)


def command() -> list[str]:
    """Returns the command `ecm` of this environment."""
    return [str(Path(sys.executable).with_name("ecm"))]


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Runs the service on a free port during a `with`; gives its address once it is ready."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = ["serve", "--repository", str(MODELS), "--port", str(port),
             "--data", str(ROOT / "service")]  # fmt: skip
    print("$ ecm", *words, flush=True)
    with (ROOT / "service.log").open("w") as log:
        process = subprocess.Popen([*command(), *words], stdout=log, stderr=log)
        try:
            wait_until_ready(process, url := f"http://127.0.0.1:{port}")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=READY_S)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    end_s = time.monotonic() + READY_S
    with Client(url, retries=0) as client:
        while time.monotonic() < end_s:
            if process.poll() is not None:
                sys.exit(f"the service stopped at once; the reason is in {ROOT / 'service.log'}")
            with contextlib.suppress(LocalizerServiceError):
                if client.health().status == "ok":
                    return
            time.sleep(0.1)
    sys.exit(f"the service was not ready within {READY_S} s; see {ROOT / 'service.log'}")


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
