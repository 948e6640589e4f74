"""`python benchmarks/page.py`, for a few frames."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "page.py"
BROWSER = shutil.which("chromium")


@pytest.mark.skipif(BROWSER is None, reason="no browser: install the package chromium")
def test_every_motion_is_drawn_and_measured() -> None:
    """A row for each; something is on the canvas; the number of elements is bounded."""
    ended = subprocess.run(
        [sys.executable, str(SCRIPT), "--frames", "3", "--segments", "500", "--snippets", "2000"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    rows = [row.split()[0] for row in ended.stdout.splitlines() if "time line" in row]
    assert rows == ["zoom", "pan", "play"]
    drawn = re.search(r"colours drawn: (\d+), elements of the page: (\d+)", ended.stdout)
    assert drawn is not None
    assert int(drawn[1]) > 20
    assert int(drawn[2]) < 1500
