"""docs/tour.ipynb runs, with few videos and one epoch."""

import json
from pathlib import Path

import matplotlib as mpl
import pytest

DOCS = Path(__file__).parents[1] / "docs"
SIZES = "TRAINING_VIDEOS, VALIDATION_VIDEOS, EPOCHS = "


def test_the_notebook_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Cell after cell in one process, in the folder docs; the service gives the same segments."""
    monkeypatch.chdir(DOCS)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setattr("sys.path", ["../examples", *__import__("sys").path])
    mpl.use("agg")
    names: dict[str, object] = {}
    for number, source in enumerate(code_cells()):
        exec(compile(source, f"tour.ipynb, code cell {number + 1}", "exec"), names)
    assert "segments, the same: True" in capsys.readouterr().out


def code_cells() -> list[str]:
    """Returns the code of the notebook, with small sizes."""
    cells = json.loads((DOCS / "tour.ipynb").read_text())["cells"]
    sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    head, _, tail = sources[0].partition(SIZES)
    assert tail
    return [f"{head}{SIZES}4, 2, 1", *sources[1:]]


def test_the_notebook_is_stored_without_results() -> None:
    """Results would change in every run."""
    cells = json.loads((DOCS / "tour.ipynb").read_text())["cells"]
    assert not any(cell.get("outputs") for cell in cells)
