"""Time from the start of a process to its first 200, beside a bare FastAPI application.

    python benchmarks/startup.py
    python benchmarks/startup.py --hidden-width 2048 --repeats 9

Both open the same ONNX file in onnxruntime. The service is ready when its models are loaded, have
made a first run, and jobs are open. The bare application is ready when its session is open. The
imports of the service are timed alone, too. Processes take turns; times are medians.
"""

import argparse
import http.client
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from record import ROOT, Record, add_json_option
from timing import medians_s

from model.export import write_onnx
from model.network import Ecm, EcmConfig
from model.repository import publish
from model.spec import ModelSpec

CHANNELS, CLASSES = 2048, 20
BARE_FORM, LIMIT_S, PAUSE_S = "bare FastAPI and onnxruntime", 60.0, 0.005
BARE = """
import sys
import onnxruntime, uvicorn
from fastapi import FastAPI
session = onnxruntime.InferenceSession(sys.argv[1])
app = FastAPI()
app.get("/health/ready")(lambda: {"status": "ready"})
uvicorn.run(app, port=int(sys.argv[2]), log_level="warning")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--hidden-width", type=int, default=512, help="hidden width of the network")
    parser.add_argument(
        "--repeats", type=int, default=5, help="timed starts, of which the median counts"
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    record = Record("Start-up", [BARE_FORM])
    with tempfile.TemporaryDirectory() as name:
        works = starts(Path(name), arguments.hidden_width)
        for form, time_s in medians_s(works, arguments.repeats).items():
            record.add(f"one network, width {arguments.hidden_width}", form, {"ms": 1e3 * time_s})
    record.finish(arguments.json)


def starts(folder: Path, width: int) -> dict[str, Callable[[], object]]:
    """Returns what is started and timed, by name."""
    spec = ModelSpec(tuple(map(str, range(CLASSES))), CHANNELS, 750, 0.125, snippet_s=0.64)
    network = Ecm(EcmConfig(CHANNELS, CLASSES, width)).eval()
    models = folder / "models"
    published = publish(models, "ecm", lambda path: write_onnx(network, spec, path), version=1)
    served = ["-m", "service", "serve", "--repository", str(models), "--port"]
    return {
        BARE_FORM: partial(start, ["-c", BARE, str(published.path)], folder),
        "service": partial(start, served, folder),
        "imports of the service alone": partial(run, ["-c", "import service.commands.serve"]),
    }


def run(arguments: Sequence[str]) -> None:
    """Runs Python until it ends."""
    subprocess.run([sys.executable, *arguments], check=True, env=_environment())


def start(arguments: Sequence[str], folder: Path) -> None:
    """Starts a server on a free port, waits until it is ready, and ends it.

    Raises:
        TimeoutError: it is not ready within `LIMIT_S`.
    """
    port = _free_port()
    command = [sys.executable, *arguments, str(port)]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=_environment())
    ends_s = time.monotonic() + LIMIT_S
    try:
        while not _is_ready(port):
            if time.monotonic() > ends_s or process.poll() is not None:
                said = (folder / "log").read_text(errors="replace")[-2000:]
                raise TimeoutError(f"expected a ready server within {LIMIT_S:g} s; its log: {said}")
            time.sleep(PAUSE_S)
    finally:
        process.kill()
        process.wait()


def _is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/health/ready")
        return connection.getresponse().status == 200
    except OSError:
        return False
    finally:
        connection.close()


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(ROOT)}


if __name__ == "__main__":
    main()
