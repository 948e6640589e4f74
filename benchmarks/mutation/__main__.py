"""Strength of the tests: the share of small changes of a file that its own tests notice.

    python benchmarks/mutation model/localization/runs.py --sample 25 --seed 0

cosmic-ray makes the changes (mutants) in a copy of the tree, and runs the tests that mirror the
file. A mutant is killed if a test fails or does not end in time. The exit status is 1 if less than
95 % of the mutants of a file are killed.
"""

import argparse
import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from strength import Limits, measure, mirror_tests, table

ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    arguments = parse()
    # An exception, so that an ended program removes its copy of the tree, as after Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    limits = Limits(
        places=arguments.sample,
        seed=arguments.seed,
        mutant_s=arguments.limit_s,
        end_s=time.monotonic() + arguments.total_s,
    )
    with copied_tree():
        results = [measure(file, limits) for file in arguments.files]
    print(table(results))
    return 0 if all(result.enough for result in results) else 1


def parse() -> argparse.Namespace:
    """Reads the command line; a file without mirroring tests is an error."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path, help="sources, by their path from the root")
    parser.add_argument("--sample", type=int, help="places to change in a file (default: all)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample")
    parser.add_argument(
        "--limit-s",
        type=float,
        help="time of one mutant (default: three times that of the unchanged file, and 10 s)",
    )
    parser.add_argument("--total-s", type=float, default=3600.0, help="time of all mutants")
    arguments = parser.parse_args()
    for file in arguments.files:
        if file.is_absolute() or not (ROOT / file).is_file():
            parser.error(f"{file} is not a file below {ROOT}; give its path from there")
        if not mirror_tests(ROOT, file):
            parser.error(
                f"no test mirrors {file}; expected {Path('tests') / file.parent}/test_*.py"
            )
    return arguments


@contextlib.contextmanager
def copied_tree() -> Iterator[None]:
    """Copies what git tracks or would track to a temporary folder, which becomes the working one.

    The folder `shared` beside the tree, which holds reference data, is linked beside the copy.
    """
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.check_output(listing, cwd=ROOT, text=True).split("\0")
    with tempfile.TemporaryDirectory(prefix="mutation-") as folder:
        tree = Path(folder) / "tree"
        for name in filter(None, names):
            if (ROOT / name).is_file():
                (tree / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, tree / name)
        if (ROOT.parent / "shared").exists():
            (tree.parent / "shared").symlink_to(ROOT.parent / "shared")
        os.environ["PYTHONPATH"] = str(tree)
        with contextlib.chdir(tree):
            yield


if __name__ == "__main__":
    sys.exit(main())
