"""Runs the quick set of benchmarks, and compares.

    python benchmarks/quick.py
    python benchmarks/quick.py --out docs/measurements --only localization network
    python benchmarks/quick.py --show docs/measurements

Each benchmark prints its table and writes its figures. The last table has one line for each form
and alternative: how many times as fast the form is. Exit status 1 if a benchmark failed.
"""

import argparse
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

from record import ROOT, Record, read

QUICK = {
    "localization": "localization.py",
    "metric": "metric.py --loops",
    "network": "network.py --hidden-width 512 2048 --repeats 5",
    "training_step": "training_step.py --videos 2 --repeats 1",
    "extraction": "extraction.py --repeats 1",
    "page": "page.py",
    "startup": "startup.py",
    "serving": "serving --peers --bodies binary --clients 1 4 16",
    "serving_int8": "serving --peers --bodies binary --clients 1 4 16 --precision int8",
}
"""Command of each benchmark, in the order in which they run."""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "bench", help="folder to write")
    parser.add_argument("--only", nargs="+", choices=QUICK, default=list(QUICK), metavar="NAME")
    parser.add_argument("--show", type=Path, help="compare the figures of this folder, and stop")
    arguments = parser.parse_args()
    if arguments.show:
        print("\n".join(comparison(sorted(arguments.show.glob("*.json")))))
        return 0
    done = {name: run(name, arguments.out) for name in arguments.only}
    failed = [name for name, succeeded in done.items() if not succeeded]
    print("\n".join(comparison(arguments.out / f"{name}.json" for name in done if done[name])))
    if failed:
        print(f"failed: {', '.join(failed)}; their errors are above", file=sys.stderr)
    return int(bool(failed))


def run(name: str, out: Path) -> bool:
    """Runs one benchmark, and returns whether it succeeded."""
    print(f"\n{name}", flush=True)
    script, *options = QUICK[name].split()
    command = [sys.executable, str(ROOT / "benchmarks" / script), *options]
    return not subprocess.run([*command, "--json", str(out / f"{name}.json")]).returncode


def comparison(paths: Iterable[Path]) -> Iterator[str]:
    """Yields one line for each form and alternative of the records, and lines above them."""
    yield f"\n{'case':55} {'form':34} {'alternative':29} times as fast"
    for path in paths:
        record = read(path)
        yield f"{record.title}:"
        yield from map("  {}".format, _lines(record))


def _lines(record: Record) -> Iterator[str]:
    for row in record.rows:
        for alternative in record.against:
            ratio = record.ratio(row, alternative)
            if ratio is not None and row.form not in record.against:
                yield f"{row.case:53} {row.form:34} {alternative:29} {ratio:13.2f}"


if __name__ == "__main__":
    sys.exit(main())
