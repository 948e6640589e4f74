"""The `sh` and `python` blocks of the documents run, in a folder as the documents assume it.

A line that begins with `ecm` runs in this process. Two things are shortened: `ecm fit` trains one
epoch of a small network, and `ecm serve` checks its settings, because a service for all blocks runs
already. Above a block that does not run, a comment has the reason: `<!-- not run: it needs X -->`.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from sybil import Example, Sybil
from sybil.parsers.markdown import CodeBlockParser

from ecm_localizer.command.main import main
from reliability.server import server

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if "generated" not in path.parts),
]
NOT_RUN = re.compile(r"<!-- not run: [^>\n]*\w[^>\n]* -->\s*\Z")
SERVICE = "127.0.0.1:8000"
"""Address of the service in the documents."""
SMALL = ["--epochs", "1", "--hidden-width", "8"]


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who follows a document."""

    folder: Path
    """Folder with videos, features, tags, a run and a model."""
    url: str
    """Address of the service for that model."""


@pytest.fixture(scope="module")
def reader(film: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A folder in which a small model was trained on four videos, and a service for that model."""
    folder = tmp_path_factory.mktemp("reader")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        prepare(folder, film)
    service = tmp_path_factory.mktemp("service")
    with server(folder / "models", service, wait_s="60") as target:
        yield Reader(folder, target.url)


def prepare(folder: Path, film: Callable[..., Path]) -> None:
    """Writes all files that documents name as the reader's own."""
    (folder / "my_videos").mkdir()
    rows = ["video,label,subset"]
    for number in range(1, 5):
        path = folder / "my_videos" / f"video_{number}.mp4"
        film(path, np.arange(75) / 25, size=(64 + 16 * number, 48))
        subset = "training" if number < 4 else "validation"
        rows.append(f"video_{number}.mp4,{'Run' if number == 2 else 'Jump'},{subset}")
    (folder / "tags.csv").write_text("\n".join(rows))
    for name in ("match.mp4", "video.mp4"):
        shutil.copy(folder / "my_videos" / "video_1.mp4", folder / name)
    videos = ["--videos", "my_videos", "--tags", "tags.csv", "--features", "my_features"]
    run_ecm(["fit", *videos, "--preset", "own-videos", "--out", "runs/mine"])
    run_ecm(["export", "runs/mine", "--name", "mine"])
    run_ecm(["convert", *videos, "--out", "DIR"])
    add_times(folder / "DIR" / "annotations.json")
    shutil.copy(folder / "DIR" / "annotations.json", folder / "tags.json")
    (folder / "corrections").mkdir()
    corrected = {"subset": "training", "duration": 3,
                 "annotations": [{"label": "Jump", "segment": [0.5, 1.5]}]}  # fmt: skip
    entry = json.dumps({"database": {"video_1": corrected}})
    (folder / "corrections" / "annotations.json").write_text(entry)


def add_times(annotations: Path) -> None:
    """Gives every annotation a segment, so that results can be measured."""
    described = json.loads(annotations.read_text())
    for video in described["database"].values():
        for annotation in video["annotations"]:
            annotation["segment"] = [0.5, 1.5]
    annotations.write_text(json.dumps(described))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_blocks_run(
    path: Path, reader: Reader, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, each as it is in the document, in a copy of the reader's folder."""
    monkeypatch.chdir(shutil.copytree(reader.folder, tmp_path / "reader"))
    names: dict[str, object] = {"__name__": "__main__"}

    def run(example: Example) -> None:
        text = example.parsed.replace(SERVICE, urlsplit(reader.url).netloc)
        if NOT_RUN.search(example.document.text[: example.start]):
            return
        if example.region.lexemes["arguments"] == "sh":
            run_lines(text)
        else:
            exec(compile(text, f"{path}:{example.line}", "exec"), names)

    for example in blocks(path, run):
        example.evaluate()


@pytest.mark.parametrize(
    ("above", "is_reason"),
    [
        ("<!-- not run: it needs Docker -->\n", True),
        ("<!-- not run: -->\n", False),
        ("<!-- not run: it needs Docker -->\nText.\n", False),
    ],
)
def test_a_block_that_is_not_run_has_a_reason(above: str, is_reason: bool) -> None:
    """Directly above it."""
    assert (NOT_RUN.search(above) is not None) == is_reason


def blocks(path: Path, run: Callable[[Example], None]) -> Iterator[Example]:
    """Yields the blocks of a document in their order."""
    parsers = [CodeBlockParser(language, run) for language in ("sh", "python")]
    yield from Sybil(parsers=parsers).parse(path).examples()


def run_lines(text: str) -> None:
    """Runs the lines of a `sh` block."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        if words and words[0] == "ecm" and ">" not in words:
            run_ecm(words[1:])
        elif words:
            subprocess.run(["bash", "-ec", line], check=True, capture_output=True, env=environment)


def run_ecm(words: list[str]) -> None:
    """Runs a command in this process; training and serving are shortened."""
    if words[0] == "serve":
        words = ["config", *words[1:]]
    if words[0] == "fit":
        words = [*words, *SMALL]
    assert main(words) == 0, shlex.join(["ecm", *words])
