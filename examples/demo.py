"""The whole way in one go: simulate, train, evaluate, export, serve, ask over HTTP, draw.

Every step is a command that you can run yourself; it is printed before it runs. All files lie in
demo/. A second run reuses what stands.
"""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ecm_localizer import Client, LocalizerError, LocalizerServiceError
from training.datasets.native import read_native
from training.measurement.metrics import detection_score

ROOT = Path("demo")
ANNOTATIONS, FEATURES = ROOT / "data" / "annotations.json", ROOT / "data" / "features"
RUN, MODELS = ROOT / "run", ROOT / "models"
PICTURE = ROOT / "localized.png"
SHOWN_VIDEO = "validation_003"
DATA = ("--annotations", str(ANNOTATIONS), "--features", str(FEATURES))


def main() -> None:
    start = time.monotonic()
    if not ANNOTATIONS.exists():
        run("training", "simulate", "--out", ROOT / "data")
    run("training", "fit", "--preset", "demo", *DATA, "--out", RUN)
    run("training", "evaluate", RUN, *DATA)
    if not (MODELS / "demo").exists():
        run("training", "export", RUN, "--repository", MODELS, "--name", "demo")
    with served() as url:
        ask(url)
    run("training", "plot", RUN, *DATA, "--video", SHOWN_VIDEO, "--min-score", "0.3",
        "--out", PICTURE)  # fmt: skip
    print(f"\ndone in {time.monotonic() - start:.0f} s; look at {PICTURE}")


def run(package: str, *arguments: object) -> None:
    command = ["-m", package, *map(str, arguments)]
    print("\n$ python", *command, flush=True)
    subprocess.run([sys.executable, *command], check=True)


@contextlib.contextmanager
def served() -> Iterator[str]:
    """Runs the service on a free port; gives its address once it is ready, stops it at the end."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["-m", "service", "serve", "--repository", str(MODELS), "--port", str(port),
               "--data", str(ROOT / "service")]  # fmt: skip
    print("\n$ python", *command, flush=True)
    with (ROOT / "service.log").open("w") as log:
        process = subprocess.Popen([sys.executable, *command], stdout=log, stderr=log)
        try:
            wait_until_ready(process, url := f"http://127.0.0.1:{port}")
            yield url
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=30)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    with Client(url, retries=0) as client:
        for _ in range(300):
            if process.poll() is not None:
                sys.exit(f"the service stopped at once; {ROOT / 'service.log'} says why")
            with contextlib.suppress(LocalizerServiceError):
                if client.health().status == "ok":
                    return
            time.sleep(0.1)
    sys.exit("the service did not get ready within 30 s")


def ask(url: str) -> None:
    """Localizes all validation videos through the service and scores what comes back."""
    videos = read_native(ANNOTATIONS, FEATURES).subset("validation").videos
    truth = {video.id: video.instances for video in videos}
    found = {}
    with Client(url) as client:
        answers = client.localize_many([FEATURES / f"{video.id}.npy" for video in videos])
        for video, answer in zip(videos, answers, strict=True):
            if isinstance(answer, LocalizerError):
                raise answer
            found[video.id] = list(answer)
    print(f"\n{SHOWN_VIDEO}, as the service answers:")
    for segment in found[SHOWN_VIDEO]:
        if segment.score >= 0.3:
            print(f"  {segment.start_s:7.2f} - {segment.end_s:7.2f} s  {segment.score:.2f}  "
                  f"{segment.label}")  # fmt: skip
    score = detection_score(truth, found, (0.3, 0.5, 0.7))
    figures = zip(score.tiou_K, score.map_K, strict=True)
    print(f"{len(videos)} videos over HTTP: "
          + ", ".join(f"mAP@{tiou} {100 * value:.1f} %" for tiou, value in figures))  # fmt: skip


if __name__ == "__main__":
    main()
