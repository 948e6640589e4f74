"""Rendered videos, from their tags to the page: render, extract, train, export, serve, localize.

Each step is a command that users run themselves, and is printed before it runs. All files are in
demo/page/. A second run reuses what is there. The service stays until Ctrl-C. All steps take 130 s
of one core. With seed 0, the mAP of the 10 validation videos is 83.8 % at tIoU 0.5.
"""

import argparse
import contextlib
import subprocess
import sys
import time
from pathlib import Path

from steps import announce, ecm, need_free, served

from ecm_localizer import Client

ROOT = Path("demo") / "page"
RENDERED = Path(__file__).with_name("moving_shapes.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--seed", type=int, default=0, help="seed of the videos")
    parser.add_argument("--out", type=Path, default=ROOT, help="folder of all files")
    options = parser.parse_args()
    need_free(options.port)
    show(options.out / f"seed_{options.seed}", options.port, options.seed)


def show(folder: Path, port: int, seed: int) -> None:
    start_s = time.monotonic()
    prepare(folder, seed)
    (folder / "corrections").mkdir(exist_ok=True)
    announce("5/5", "serve, and localize the validation videos as jobs")
    words = ("--repository", folder / "models", "--data", folder / "service",
             "--video-roots", (folder / "videos").resolve(),
             "--corrections", folder / "corrections")  # fmt: skip
    with served(folder / "service.log", *words, port=port) as (url, service):
        localize(url, folder)
        print(f"\nready after {time.monotonic() - start_s:.0f} s")
        print(f"open {url}/ in a browser; Ctrl-C ends the service")
        print(f"true times, to lay over the segments with Ground truth: {folder / 'truth.json'}")
        with contextlib.suppress(KeyboardInterrupt):
            service.wait()


def prepare(folder: Path, seed: int) -> None:
    """Renders, trains, measures and exports, each unless it is done already."""
    truth, features, run = folder / "truth.json", folder / "features", folder / "run"
    announce("1/5", "render videos of a shape that spins, pulses, bounces and shakes")
    if not truth.exists():
        print("$ python", RENDERED.name, folder, "--seed", seed, flush=True)
        subprocess.run([sys.executable, RENDERED, folder, "--seed", str(seed)], check=True)
    announce("2/5", "extract their features, and train from the tags alone")
    ecm("fit", "--videos", folder / "videos", "--tags", folder / "tags.csv",
        "--preset", "own-videos", "--features", features, "--out", run)  # fmt: skip
    announce("3/5", "measure on the validation videos, whose true times are known")
    ecm("evaluate", run, "--annotations", truth, "--features", features)
    announce("4/5", "export to ONNX")
    if not (folder / "models" / "shapes").exists():
        ecm("export", run, "--repository", folder / "models", "--name", "shapes")


def localize(url: str, folder: Path) -> None:
    """Localizes every validation video, the longest last, so that the page lists it first."""
    rows = (folder / "tags.csv").read_text().splitlines()
    names = dict.fromkeys(row.split(",")[0] for row in rows if row.endswith(",validation"))
    with Client(url) as client:
        known = {job.name for job in client.jobs(limit=100).jobs}
        for name in names:
            if name not in known:
                video = (folder / "videos" / name).resolve()
                client.localize(video.as_uri())
    print(f"{len(names)} videos localized")


if __name__ == "__main__":
    main()
