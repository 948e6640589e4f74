"""Runs of tests in forks of this process, which has imported the libraries that the tests need.

Most of the time of a short test file is the import of torch, onnxruntime and pytest. Here a fork
finds them imported. A fork imports the project itself, because the next mutant may be in any file
of it; this process never does.
"""

import gc
import importlib
import multiprocessing
import os
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.context import ForkProcess
from pathlib import Path

import pytest

OPTIONS = ("-x", "-q", "-p", "no:cacheprovider")
"""pytest ends at the first failure, and leaves no file from which a later run would differ."""


@dataclass(frozen=True)
class Outcome:
    """The end of one run of some tests."""

    passed: bool
    """Whether pytest ended with status 0."""
    timed_out: bool
    """Whether the run was stopped, because its time was up."""
    took_s: float
    """The time from the fork to the end."""
    output: str
    """The text that pytest printed."""


class LibraryImports:
    """A pytest plugin that imports modules at the start of a session.

    Outside of a session, pytest could not rewrite the assertions of its own plugins.
    """

    def __init__(self, names: Sequence[str]) -> None:
        self.names = names

    def pytest_sessionstart(self) -> None:
        """Imports the modules; some modules of libraries exist only by the name of another."""
        for name in self.names:
            with suppress(ImportError):
                importlib.import_module(name)


def import_libraries(tests: Sequence[Path]) -> Outcome:
    """Runs tests below the working folder, and imports here the libraries that they needed."""
    with tempfile.TemporaryDirectory() as folder:
        names = Path(folder) / "names"
        first = run_tests(tests, limit_s=None, libraries=names)
        plugin = LibraryImports(names.read_text().split() if first.passed else [])
        empty = Path(folder) / "empty"
        empty.mkdir()
        options = ["-p", "no:terminal", "--noconftest", f"--rootdir={empty}"]
        pytest.main([*options, str(empty)], plugins=[plugin])
    gc.freeze()  # no fork has to look through the objects of the libraries
    return first


def run_tests(
    tests: Sequence[Path], limit_s: float | None, libraries: Path | None = None
) -> Outcome:
    """Runs tests below the working folder in a fork, and ends the fork and its children in time.

    Args:
        tests: files of tests.
        limit_s: the time of the run; None is without limit.
        libraries: a file for the names of the modules outside the working folder that the run
            imported, one a line.
    """
    begin_s = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        process = multiprocessing.get_context("fork").Process(
            target=_run, args=(tests, Path(folder), libraries)
        )
        process.start()
        try:
            process.join(limit_s)
        finally:  # also when this process ends, because the fork would outlive its folder
            timed_out = process.exitcode is None
            if timed_out:
                _kill(process)
        output = (Path(folder) / "output").read_text(errors="replace")
    return Outcome(process.exitcode == 0, timed_out, time.monotonic() - begin_s, output)


def _kill(process: ForkProcess) -> None:
    """Ends a fork and its children."""
    with suppress(ProcessLookupError):  # the fork has no group of its own yet
        os.killpg(process.pid or 0, signal.SIGKILL)
    process.kill()
    process.join()


def _run(tests: Sequence[Path], folder: Path, libraries: Path | None) -> None:
    """Entry point of a fork: behaves like `python -m pytest` in the working folder."""
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    output = os.open(folder / "output", os.O_WRONLY | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)
    if libraries is None:  # Python could take the bytecode of one mutant for that of the next
        sys.dont_write_bytecode = True
        os.environ["PYTHONDONTWRITEBYTECODE"] = "1"
    sys.path[0] = str(Path.cwd())
    arguments = [*OPTIONS, f"--basetemp={folder / 'tests'}", *map(str, tests)]
    sys.argv = ["pytest", *arguments]
    status = pytest.main(arguments)
    if libraries is not None:
        libraries.write_text("\n".join(_library_names(Path.cwd())))
    sys.exit(int(status))


def _library_names(tree: Path) -> list[str]:
    """Returns the imported modules whose file is outside a folder, in the order of import."""
    files = {name: getattr(module, "__file__", None) for name, module in sys.modules.items()}
    return [name for name, file in files.items() if file and tree not in Path(file).parents]
