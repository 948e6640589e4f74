"""`python benchmarks/gpu.py`, at small sizes on a CPU."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PARTS = ["machine", "engine", "batching", "service", "failure", "training", "flow"]
PARTS_OF_ITS_OWN = """
import sys
sys.path[:0] = [{root!r}, {benchmarks!r}, {here!r}]
from gpu_parts.runner import run
if __name__ == "__main__":
    parts = {{"broken": "fails", "sound": "passes"}}
    sys.exit(run(sys.argv[1:], "Two parts.", parts=parts, package="parts_of_a_test"))
"""


def command(script: Path, *words: str | Path) -> "subprocess.CompletedProcess[str]":
    """Runs a script on a CPU, with one thread, since the tests share its cores with others."""
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, str(script), "--device", "cpu", *map(str, words)],
        env=environment, capture_output=True, text=True, timeout=400, check=False,
    )  # fmt: skip


def read(out: Path) -> list[dict[str, Any]]:
    """Returns the parts that were written."""
    parts: list[dict[str, Any]] = json.loads((out / "gpu.json").read_text())
    return parts


@pytest.mark.parametrize(
    "parts",
    [["machine", "engine"], pytest.param(PARTS, marks=pytest.mark.slow)],
    ids=["few", "all"],
)
def test_parts_pass_on_a_cpu(parts: list[str], tmp_path: Path) -> None:
    """With a line as each begins, a table in the end, and nothing but `--out` written."""
    before = {path.name for path in ROOT.iterdir()}
    script = ROOT / "benchmarks" / "gpu.py"
    ended = command(script, "--out", tmp_path / "out", "--only", *parts[1:])
    assert ended.returncode == 0, ended.stdout
    assert {part["name"]: part["status"] for part in read(tmp_path / "out")} == dict.fromkeys(
        parts, "passed"
    )
    for name in parts:
        assert f"s  {name}: " in ended.stdout
        assert f"\n{name}: passed, " in ended.stdout
    logs = {f"{name}.log" for name in parts}
    assert {path.name for path in (tmp_path / "out").iterdir()} == logs | {"gpu.json", "gpu.txt"}
    assert {path.name for path in ROOT.iterdir()} <= before | {"__pycache__"}


def test_a_part_that_fails_is_told_and_the_next_goes_on(tmp_path: Path) -> None:
    """Its traceback, its checks so far, and exit status 1."""
    package = tmp_path / "parts_of_a_test"
    package.mkdir()
    (package / "broken.py").write_text(
        "def run(bench):\n"
        "    bench.steps(first, second)\n"
        "def first(bench):\n"
        "    raise RuntimeError('on purpose')\n"
        "def second(bench):\n"
        "    bench.at_most('a number', 1, 2)\n"
    )
    (package / "sound.py").write_text("def run(bench):\n    bench.figure('rate', 3, 'videos/s')\n")
    script = tmp_path / "gpu.py"
    places = {"root": str(ROOT), "benchmarks": str(ROOT / "benchmarks"), "here": str(tmp_path)}
    script.write_text(PARTS_OF_ITS_OWN.format(**places))
    ended = command(script, "--out", tmp_path / "out")
    assert ended.returncode == 1
    assert "RuntimeError: on purpose" in ended.stdout
    _, broken, sound = read(tmp_path / "out")
    assert [broken["status"], sound["status"]] == ["failed", "passed"]
    assert [entry["status"] for entry in broken["entries"]] == ["failed", "passed"]
    assert sound["entries"][0]["value"] == 3
