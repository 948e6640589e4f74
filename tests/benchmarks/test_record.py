"""`benchmarks/record.py`: ratios, tables, and the page that shows the measurements."""

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "benchmarks"
PAGE = ROOT / "docs" / "explanation" / "performance.md"


@pytest.fixture(scope="module")
def record() -> ModuleType:
    """The module, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("record", BENCHMARKS / "record.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["record"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_less_time_and_more_units_a_second_are_faster(record: ModuleType) -> None:
    """12 ms against 0.5 ms is 24 times as fast; 50 against 25 frames/s is twice as fast."""
    own = record.Record("subject", ["loops"])
    own.add("one", "loops", {"ms": 12})
    own.add("one", "ours", {"ms": 0.5, "worst ms": 3})
    own.add("two", "loops", {"frames/s": 25})
    own.add("two", "ours", {"frames/s": 50})
    own.add("three", "ours", {"ms": 1})
    assert [own.ratio(row, "loops") for row in own.rows] == [None, 24, None, 2, None]


def test_record_that_was_written_has_the_same_table(record: ModuleType, tmp_path: Path) -> None:
    """The file has all that the table and its origin need."""
    own = record.Record("subject", ["loops"], command="python x.py")
    own.add("one", "loops", {"ms": 12.3456})
    own.add("one", "ours", {"ms": 0.5, "worst ms": 3})
    own.finish(tmp_path / "new" / "one.json")
    again = record.read(tmp_path / "new" / "one.json")
    assert again == own
    assert list(again.table())[2].split() == ["one", "ours", "0.50", "3.00", "24.7"]


def test_command_leaves_out_where_the_figures_go(record: ModuleType) -> None:
    """The command of a record can be typed again, and overwrites nothing."""
    words = [str(BENCHMARKS / "network.py"), "--json", "x.json", "--repeats", "5"]
    assert record.own_command(words) == "python benchmarks/network.py --repeats 5"
    package = [str(BENCHMARKS / "serving" / "__main__.py"), "--rounds", "1"]
    assert record.own_command(package) == "python benchmarks/serving --rounds 1"


def test_page_shows_the_measurements_as_they_are() -> None:
    """After a new measurement, `make performance` writes the tables of the page again."""
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "benchmarks", "-p",
               "from record import measured", str(PAGE)]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = PAGE.read_text()
    for path in (ROOT / "docs" / "measurements").glob("*.json"):
        assert f'measured("{path.stem}")' in shown, f"{path.name} is not on the page"


def test_quick_set_ends_in_one_table_of_ratios(tmp_path: Path) -> None:
    """Each form is compared with each alternative of its case."""
    command = [sys.executable, str(BENCHMARKS / "quick.py"), "--show", str(tmp_path)]
    figures = '{"title": "Subject", "against": ["loops"], "command": "", "date": "", "commit": "",'
    rows = (
        '"machine": "", "load": 0, "rows": [{"case": "one", "form": "loops", "figures": {"ms": 8}},'
        '{"case": "one", "form": "ours", "figures": {"ms": 2}}]}'
    )
    (tmp_path / "one.json").write_text(figures + rows)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1].split() == ["one", "ours", "loops", "4.00"]
