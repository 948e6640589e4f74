"""Steps that the demonstrations share: commands that are printed and run, and a service."""

import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ecm_localizer import Client, LocalizerServiceError

READY_S = 30
"""Longest time in which the service starts, and in which it stops."""


def announce(step: str, subject: str) -> None:
    print(f"\n[{step}] {subject}", flush=True)


def ecm(*words: object) -> None:
    print("$ ecm", *words, flush=True)
    subprocess.run([*command(), *map(str, words)], check=True)


def command() -> list[str]:
    """Returns the command `ecm` of this environment."""
    return [str(Path(sys.executable).with_name("ecm"))]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def need_free(port: int) -> None:
    """Ends the program with a sentence if something listens on the port already."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            sys.exit(f"error: port {port} is taken; take another one: PORT={port + 1}")


@contextlib.contextmanager
def served(
    log_file: Path, *words: object, port: int
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Runs `ecm serve WORDS` during a `with`; gives its address and process once it is ready."""
    arguments = ["serve", *map(str, words), "--port", str(port)]
    print("$ ecm", *arguments, flush=True)
    with log_file.open("w") as log:
        process = subprocess.Popen([*command(), *arguments], stdout=log, stderr=log)
        try:
            wait_until_ready(process, url := f"http://127.0.0.1:{port}", log_file)
            yield url, process
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=READY_S)


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log_file: Path) -> None:
    end_s = time.monotonic() + READY_S
    with Client(url, retries=0) as client:
        while time.monotonic() < end_s:
            if process.poll() is not None:
                sys.exit(f"the service stopped at once; the reason is in {log_file}")
            with contextlib.suppress(LocalizerServiceError):
                if client.health().status == "ok":
                    return
            time.sleep(0.1)
    sys.exit(f"the service was not ready within {READY_S} s; see {log_file}")
