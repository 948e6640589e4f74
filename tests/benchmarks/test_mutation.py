"""`python benchmarks/mutation`: which tests run, which places change, and the table."""

import importlib
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks/mutation"
SOURCE = '''
def half(value: int | None = 8) -> float:
    """Half of it."""
    assert value != 0
    _log.info("half of %d", value + 1)
    if value < 0:
        raise ValueError(f"{value - 1} is below 0")
    return value / 2
'''
DIFF = "--- mutation diff ---\n-a / 2\n+a * 2"


@pytest.fixture
def strength(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The part of the script that counts."""
    monkeypatch.syspath_prepend(str(SCRIPT))
    return importlib.import_module("strength")


@pytest.fixture
def mutants(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The part of the script that chooses the changes."""
    monkeypatch.syspath_prepend(str(SCRIPT))
    return importlib.import_module("mutants")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two sources, `a` and `b`, of which only `a` has tests of its own."""
    for name in ("test_a.py", "test_a_times.py", "test_ab.py", "other/test_a.py", "test_far.py"):
        path = tmp_path / "tests/model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        ("model/a.py", ["test_a.py", "test_a_times.py"]),
        ("model/b.py", ["test_a.py", "test_a_times.py", "test_ab.py", "test_far.py"]),
        ("model/other/a.py", ["other/test_a.py"]),
        ("model/far/a.py", ["test_far.py"]),
        ("training/a.py", []),
    ],
)
def test_a_source_has_the_tests_of_its_name_or_else_of_its_folder(
    strength: ModuleType, tree: Path, source: str, tests: list[str]
) -> None:
    """The path of a source gives the tests that must notice its mutants."""
    expected = [Path("tests/model") / name for name in tests]
    assert strength.mirror_tests(tree, Path(source)) == expected


@pytest.mark.parametrize("name", ["examples/demo.py", "model/absent.py", str(SCRIPT)])
def test_a_source_without_tests_is_refused(name: str) -> None:
    """Refuse a file that no test mirrors, one that does not exist, and an absolute path."""
    answer = subprocess.run(
        [sys.executable, SCRIPT, name], capture_output=True, text=True, timeout=60, check=False
    )
    assert (answer.returncode, name in answer.stderr) == (2, True)


def test_annotations_assertions_messages_log_lines_and_options_do_not_change(
    mutants: ModuleType,
) -> None:
    """No mutant falls on text that no test should have to notice."""
    source = f"{SOURCE}@dataclass(frozen=True, slots=not False)\nclass Whole: ...\n"
    lines = source.splitlines()
    spans = [
        lines[start[0] - 1][start[1] : end[1]]
        for start, end in sorted(mutants.unmeasured_spans(source))
    ]
    expected = [
        "int | None",
        "float",
        "assert value != 0",
        '_log.info("half of %d", value + 1)',
        'ValueError(f"{value - 1} is below 0")',
        "True",
        "not False",
    ]
    assert expected == spans


def test_mutants_of_cosmic_ray(mutants: ModuleType, tmp_path: Path) -> None:
    """Conditions, numbers, operators and statements change; each mutant is another source."""
    pytest.importorskip("cosmic_ray", reason="the extra `mutation` is not installed")
    plugins = importlib.import_module("cosmic_ray.plugins")
    mutate_code = importlib.import_module("cosmic_ray.mutating").mutate_code
    (tmp_path / "half.py").write_text(SOURCE)
    found = mutants.mutants(tmp_path / "half.py")
    changed = [
        mutate_code(SOURCE, plugins.get_operator(mutant.operator)(), mutant.occurrence)
        for mutant in found
    ]
    assert {2, 6, 7, 8} == {mutant.start[0] for mutant in found}
    assert len(changed) == len(set(changed))
    assert SOURCE.replace("return value / 2", "pass") in changed
    assert SOURCE.replace('raise ValueError(f"{value - 1} is below 0")', "pass") in changed
    assert SOURCE.replace("value / 2", "value * 2") in changed


def test_a_sample_is_spread_over_places_and_repeats_by_its_seed(mutants: ModuleType) -> None:
    """A place with many mutants is drawn as often as a place with one."""
    found = [mutants.Mutant("many", number, (1, 0), (1, 1)) for number in range(1000)]
    found += [mutants.Mutant("one", line, (line, 0), (line, 1)) for line in range(2, 12)]
    drawn = mutants.sample(found, 10, 0)
    assert mutants.sample(found, 10, 0) == drawn
    assert len({mutant.start for mutant in drawn}) == 10
    assert found == mutants.sample(found, None, 0)
    assert len(mutants.sample(found, 99, 0)) == 11


def test_the_table_counts_the_mutants_of_each_file(strength: ModuleType) -> None:
    """A line has the counts of a file, and marks a share below 95 %."""
    results = [
        strength.Strength("model/a.py", killed=19, timeouts=2, survivors=(DIFF,)),
        strength.Strength("model/long_name.py", killed=18, survivors=(DIFF, DIFF), left=3),
    ]
    lines = strength.table(results).splitlines()
    expected = [
        "file mutants killed survived time-outs not-run share",
        "model/a.py 20 19 1 2 0 95.0%",
        "model/long_name.py 20 18 2 0 3 90.0% too few",
    ]
    assert expected == [" ".join(line.split()) for line in lines]


def test_nothing_measured_is_not_enough(strength: ModuleType) -> None:
    """A file none of whose mutants ran does not pass."""
    assert not strength.Strength("model/a.py", left=9).enough
    assert "none" in strength.table([strength.Strength("model/a.py", left=9)])


STUCK = """
import os, signal
def test_stuck() -> None:
    os.write(os.open(os.environ["BEGUN"], os.O_WRONLY), b"begun")
    signal.pause()
"""


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
def test_an_ended_program_leaves_nothing_behind(tmp_path: Path, end: signal.Signals) -> None:
    """In the middle of a test, too: neither the copy of the tree nor the process of the test."""
    root, temporary, begun = (tmp_path / name for name in ("root", "temporary", "begun"))
    shutil.copytree(SCRIPT, root / "benchmarks/mutation")
    for name, source in {"model/a.py": "", "tests/model/test_a.py": STUCK}.items():
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(source)
    subprocess.run(["git", "init", "--quiet", root], check=True)
    temporary.mkdir()
    os.mkfifo(begun)
    waiting = os.open(begun, os.O_RDWR)  # opens without a writer, and is never at its end
    environment = {"BEGUN": str(begun), "TMPDIR": str(temporary),
                   "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}  # fmt: skip
    program = subprocess.Popen(
        [sys.executable, "-B", root / "benchmarks/mutation", "model/a.py"],
        env=os.environ | environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        assert select.select([waiting], [], [], 120)[0]
        assert list(temporary.glob("mutation-*/tree/model/a.py"))
        program.send_signal(end)
        assert program.wait(120) != 0
    finally:
        program.kill()
        os.close(waiting)
    assert list(temporary.iterdir()) == []
    reading = os.open(begun, os.O_RDONLY | os.O_NONBLOCK)
    assert os.read(reading, 5) == b""  # no process has it open any more
    os.close(reading)


FORKS = """
import sys
from pathlib import Path

from forks import import_libraries, run_tests

tests = [Path("tests/test_a.py")]
assert import_libraries(tests).passed
assert "colorsys" in sys.modules and "a" not in sys.modules
for source in ("VALUE = 1", "VALUE = 2", "while True: pass", "VALUE = 1"):
    Path("a.py").write_text(source)
    outcome = run_tests(tests, 0.5 if "while" in source else None)
    print("passed" if outcome.passed else "timed out" if outcome.timed_out else "failed")
"""


def test_each_run_in_a_fork_has_the_source_of_its_time(tmp_path: Path) -> None:
    """The first process imports the libraries of the tests, but not the sources."""
    (tmp_path / "tests").mkdir()
    test = "import colorsys\nfrom a import VALUE\ndef test_a() -> None:\n    assert VALUE == 1\n"
    (tmp_path / "tests/test_a.py").write_text(test)
    (tmp_path / "a.py").write_text("VALUE = 1")
    shutil.copy(SCRIPT / "forks.py", tmp_path)
    (tmp_path / "program.py").write_text(FORKS)
    answer = subprocess.run(
        [sys.executable, "-B", "program.py"],
        cwd=tmp_path, env=os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True, text=True, timeout=240, check=True,
    )  # fmt: skip
    assert answer.stdout.splitlines() == ["passed", "failed", "timed out", "passed"]
