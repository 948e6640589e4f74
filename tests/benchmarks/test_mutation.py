"""`python benchmarks/mutation.py`: which tests run, which places change, and the table."""

import importlib
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
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
def mutation(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script as a module."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    return importlib.import_module("mutation")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Two sources, `a` and `b`, of which only `a` has tests of its own."""
    for name in ("test_a.py", "test_a_times.py", "test_ab.py", "other/test_a.py"):
        path = tmp_path / "tests/model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path


@pytest.mark.parametrize(
    ("source", "tests"),
    [
        ("model/a.py", ["test_a.py", "test_a_times.py"]),
        ("model/b.py", ["test_a.py", "test_a_times.py", "test_ab.py"]),
        ("model/other/a.py", ["other/test_a.py"]),
        ("training/a.py", []),
    ],
)
def test_a_source_has_the_tests_of_its_name_or_else_of_its_folder(
    mutation: ModuleType, tree: Path, source: str, tests: list[str]
) -> None:
    """The path of a source gives the tests that must notice its mutants."""
    expected = [Path("tests/model") / name for name in tests]
    assert mutation.mirror_tests(tree, Path(source)) == expected


def test_a_source_without_tests_is_refused(
    mutation: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    """Refuse a file that no test mirrors, one that does not exist, and one by an absolute path."""
    for name in ("examples/demo.py", "model/absent.py", str(BENCHMARKS / "mutation.py")):
        with pytest.raises(SystemExit):
            mutation.parse([name])
        assert name in capsys.readouterr().err


def test_annotations_assertions_messages_and_log_lines_do_not_change(mutation: ModuleType) -> None:
    """No mutant falls on text that no test should have to notice."""
    lines = SOURCE.splitlines()
    spans = [
        lines[start[0] - 1][start[1] : end[1]]
        for start, end in sorted(mutation.unmeasured_spans(SOURCE))
    ]
    expected = [
        "int | None",
        "float",
        "assert value != 0",
        '_log.info("half of %d", value + 1)',
        'ValueError(f"{value - 1} is below 0")',
    ]
    assert expected == spans


def test_mutants_of_cosmic_ray(mutation: ModuleType, tmp_path: Path) -> None:
    """Conditions, numbers, operators and statements change; each mutant is another source."""
    pytest.importorskip("cosmic_ray", reason="the extra `mutation` is not installed")
    plugins = importlib.import_module("cosmic_ray.plugins")
    mutate_code = importlib.import_module("cosmic_ray.mutating").mutate_code
    (tmp_path / "half.py").write_text(SOURCE)
    found = mutation.mutants(tmp_path / "half.py")
    changed = [
        mutate_code(SOURCE, plugins.get_operator(mutant.operator)(), mutant.occurrence)
        for mutant in found
    ]
    assert {2, 6, 7, 8} == {mutant.position[0] for mutant in found}
    assert len(changed) == len(set(changed))
    assert SOURCE.replace("return value / 2", "pass") in changed
    assert SOURCE.replace('raise ValueError(f"{value - 1} is below 0")', "pass") in changed
    assert SOURCE.replace("value / 2", "value * 2") in changed


def test_a_sample_is_spread_over_places_and_repeats_by_its_seed(mutation: ModuleType) -> None:
    """A place with many mutants is drawn as often as a place with one."""
    found = [mutation.Mutant("many", number, (1, 0)) for number in range(1000)]
    found += [mutation.Mutant("one", line, (line, 0)) for line in range(2, 12)]
    drawn = mutation.sample(found, 10, 0)
    assert mutation.sample(found, 10, 0) == drawn
    assert len({mutant.position for mutant in drawn}) == 10
    assert found == mutation.sample(found, None, 0)
    assert len(mutation.sample(found, 99, 0)) == 11


def test_the_table_counts_and_shows_the_survivors(mutation: ModuleType) -> None:
    """The table has the counts of each file, and the diffs of all survivors are below it."""
    results = [
        mutation.Strength("model/a.py", killed=19, timeouts=2, survivors=(DIFF,)),
        mutation.Strength("model/long_name.py", killed=18, survivors=(DIFF, DIFF), left=3),
    ]
    lines = mutation.table(results).splitlines()
    expected = [
        "file mutants killed survived time-outs not-run share",
        "model/a.py 20 19 1 2 0 95.0%",
        "model/long_name.py 20 18 2 0 3 90.0% too few",
    ]
    assert expected == [" ".join(line.split()) for line in lines[:3]]
    assert DIFF.splitlines() * 3 == lines[3:]


def test_nothing_measured_is_not_enough(mutation: ModuleType) -> None:
    """A file none of whose mutants ran does not pass."""
    assert not mutation.Strength("model/a.py", left=9).enough
    assert "none" in mutation.table([mutation.Strength("model/a.py", left=9)])
