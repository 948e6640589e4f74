"""Runs the parts, each in a process of its own, within one deadline.

A process of its own gives the memory of the card back, survives no error of CUDA that poisons its
context, and can be ended when it hangs.
"""

import argparse
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from gpu_parts.bench import Bench, Device, Entry
from gpu_parts.libraries import library_path
from gpu_parts.sizes import CARD, SMALL, Sizes
from gpu_parts.table import PartResult, Status, table, write_json

PARTS: Mapping[str, str] = {
    "engine": "the exported network: where it runs, its logits, its first runs",
    "batching": "videos a second, and what limits them",
    "service": "the service under load, at a reload, at a deadline",
    "failure": "no memory, and no GPU",
    "training": "losses, steps, a whole run",
    "flow": "TV-L1, I3D, a video on its way to features",
}
"""Subject of each module of this package that has a `run`, in the order in which they run."""
_MACHINE = {"machine": "card and libraries"}
ROOT = Path(__file__).resolve().parents[2]
_spawn = multiprocessing.get_context("spawn")


@dataclass(frozen=True, slots=True)
class _Order:
    """Arguments that the processes of all parts share."""

    package: str
    """Package with the modules of the parts."""
    device: Device
    """Device of the networks."""
    out: Path
    """Folder for logs."""
    scratch: Path
    """Folder for shared files; removed at the end."""

    @property
    def sizes(self) -> Sizes:
        """The sizes for this device."""
        return CARD if self.device == "cuda" else SMALL


def run(
    words: Sequence[str],
    description: str | None,
    *,
    parts: Mapping[str, str] = PARTS,
    package: str = "gpu_parts",
) -> int:
    """Returns the exit status: 1 if a check failed.

    Args:
        words: of the command line.
        description: of the command, for its help.
        parts: the subject of each, by the name of its module.
        package: where the modules are.
    """
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "gpu", help="folder to write")
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts), metavar="NAME")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    given = parser.parse_args(words)
    given.out.mkdir(parents=True, exist_ok=True)
    _prepare_environment()
    chosen = _MACHINE | {name: parts[name] for name in parts if name in given.only}
    results: list[PartResult] = []
    with tempfile.TemporaryDirectory(prefix="scratch-", dir=given.out) as scratch:
        order = _Order(package, given.device, given.out, Path(scratch))
        for result in _results(chosen, order):
            results.append(result)
            write_json(results, given.out / "gpu.json")
    print(told := table(results))
    (given.out / "gpu.txt").write_text(told + "\n")
    return int(any(result.failed for result in results))


def _prepare_environment() -> None:
    """Has the processes of all parts, and theirs, find this tree and the libraries of CUDA."""
    for name, places in (("PYTHONPATH", str(ROOT)), ("LD_LIBRARY_PATH", library_path())):
        os.environ[name] = os.pathsep.join(filter(None, (places, os.environ.get(name))))


def _results(parts: Mapping[str, str], order: _Order) -> Iterator[PartResult]:
    """Yields the result of each part; only that of the machine where no GPU can be used."""
    sizes, began_s = order.sizes, time.monotonic()
    for name, subject in parts.items():
        elapsed_s = time.monotonic() - began_s
        left_s = sizes.total_s - elapsed_s
        if left_s < sizes.least_s:
            yield PartResult(name, "not run")
            continue
        print(f"{elapsed_s:4.0f} s  {name}: {subject}", flush=True)
        ends_s = time.monotonic() + min(left_s, sizes.part_s)
        late: Status = "cut short" if left_s <= sizes.part_s else "failed"
        result = _result(name, order, ends_s, late)
        yield result
        if name in _MACHINE and result.failed:
            return


def _result(name: str, order: _Order, ends_s: float, late: Status) -> PartResult:
    """Runs one part in a process and returns what it reported until its end.

    Args:
        name: of the part.
        order: how it runs.
        ends_s: monotonic time at which it is ended.
        late: status of a part that has to be ended.
    """
    began_s = time.monotonic()
    incoming, outgoing = _spawn.Pipe(duplex=False)
    process = _spawn.Process(target=_work, args=(name, order, ends_s, outgoing), name=name)
    process.start()
    outgoing.close()
    entries: list[Entry] = []
    try:
        ended = _receive(incoming, ends_s, entries)
    finally:
        _end_group(process.pid)
        process.join()
    failed = any(entry.status == "failed" for entry in entries)
    status: Status = late if not ended else "failed" if failed else "passed"
    return PartResult(name, status, time.monotonic() - began_s, tuple(entries))


def _receive(incoming: Connection, ends_s: float, entries: list[Entry]) -> bool:
    """Collects the entries of a part; returns whether the part came to its end in time."""
    while incoming.poll(max(0.0, ends_s - time.monotonic())):
        try:
            entry = incoming.recv()
        except EOFError:
            entries.append(
                Entry("lives to its end", "failed", text="the process died; see its log")
            )
            return True
        if entry is None:
            return True
        entries.append(entry)
    return False


def _end_group(pid: int | None) -> None:
    """Kills a part's process and those that it started, as far as they are left."""
    assert pid is not None
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _work(name: str, order: _Order, ends_s: float, outgoing: Connection) -> None:
    """Entry point of a part's process."""
    os.setsid()
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with (order.out / f"{name}.log").open("wb") as log:
        for stream in (sys.stdout, sys.stderr):
            os.dup2(log.fileno(), stream.fileno())
    for cache in ("TORCHINDUCTOR_CACHE_DIR", "TRITON_CACHE_DIR", "CUDA_CACHE_PATH"):
        os.environ[cache] = str(order.scratch / cache.lower())  # nothing beside `out` is written
    bench = Bench(order.device, order.sizes, order.scratch, outgoing.send, ends_s)
    package = "gpu_parts" if name in _MACHINE else order.package
    try:
        importlib.import_module(f"{package}.{name}").run(bench)
    except BaseException:
        outgoing.send(Entry("runs to its end", "failed", text=traceback.format_exc()))
    outgoing.send(None)


def _end_with_parent() -> None:
    """Ends this process group when the runner is gone, so that no service is left behind."""
    parent = multiprocessing.parent_process()
    assert parent
    parent.join()
    os.killpg(0, signal.SIGKILL)
