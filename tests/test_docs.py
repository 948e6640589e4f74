"""The documents agree with the software."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ecm_localizer.command.main import main
from reliability.random_model import publish_random_of_videos
from service.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *sorted(ROOT.glob("docs/**/*.md")),
    ROOT / "model" / "README.md",
]


def test_every_setting_is_documented_as_it_is() -> None:
    """Variable, default and meaning."""
    rows = (ROOT / "docs" / "reference" / "service.md").read_text()
    for name, field in Settings.model_fields.items():
        default = "" if field.default is None else f" `{field.default}`"
        assert f"| `ECM_{name.upper()}` |{default} | {field.description} |" in rows


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    """Every relative link names a file that is there."""
    for target in re.findall(r"\]\((?!http)([^)#]+)", document.read_text()):
        assert (document.parent / target).exists(), target


def test_commands_of_the_documents_exist(capsys: pytest.CaptureFixture[str]) -> None:
    """The command line has each `ecm X --flag` and `python -m training X --flag` of a document."""
    text = "\n".join(path.read_text() for path in DOCUMENTS).replace("\\\n", " ")
    command_line = r"(?:\becm|python -m (?:training|service)) ([a-z][a-z-]+)([^\n`|;]*)"
    in_code = re.findall(rf"(?:^|`|\$ ){command_line}", text, flags=re.MULTILINE)
    assert len(in_code) > 30
    for command, arguments in in_code:
        assert main([command, "--help-all"]) == 0, command
        page = capsys.readouterr().out.replace("--[no-]", "--") + "--help --help-all"
        for flag in re.findall(r"--[a-z][a-z0-9-]*", arguments):
            assert re.search(rf"{flag.replace('--no-', '--')}\b", page), f"{command} {flag}"


def test_make_targets_of_the_documents_exist() -> None:
    """Every `make X`."""
    makefile = (ROOT / "Makefile").read_text()
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    for target in re.findall(r"(?:^|`)make ([a-z]+)", text, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


@pytest.fixture
def user_folder(
    tmp_path: Path, features_TD: np.ndarray, film: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Path:  # fmt: skip
    """The folder that the README's examples assume: features, a video and a model for videos."""
    folder = tmp_path / "user"
    (folder / "my_features").mkdir(parents=True)
    np.save(folder / "my_features" / "video_1.npy", features_TD)
    film(folder / "match.mp4", [number / 25 for number in range(100)])
    publish_random_of_videos(folder / "models", "mine")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("example", re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL))
def test_readme_python_examples_run(
    example: str, url: str, user_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """In a process of its own and against a real service."""
    exec(example.replace("http://127.0.0.1:8000", url), {})
    assert len(capsys.readouterr().out.splitlines()) > 0


def test_readme_curl_example_runs(url: str, user_folder: Path) -> None:
    """A client that we did not write."""
    command = re.findall(r"```sh\n(curl .*?)\n```", README)[0].replace("http://127.0.0.1:8000", url)
    told = subprocess.run(
        ["bash", "-c", command], cwd=user_folder, capture_output=True, text=True, check=True
    )
    assert '"segments":[{"label":' in told.stdout


def test_training_on_the_real_time_lines_starts(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """The commands of docs/explanation/results.md run on videos of that data; one epoch of them."""
    content = json.loads(shared("data/timelines/annotations.json").read_text())
    by_subset: dict[str, list[str]] = {}
    for name, video in content["database"].items():
        by_subset.setdefault(video["subset"], []).append(name)
    content["database"] = {
        name: content["database"][name] for names in by_subset.values() for name in names[:16]
    }
    annotations = tmp_path / "annotations.json"
    annotations.write_text(json.dumps(content))
    data = ["--annotations", str(annotations)]
    data += ["--features", str(shared("data/timelines/features"))]
    small = ["--epochs", "1", "--hidden-width", "16", "--validation-subset", "none"]
    assert main(["fit", *data, *small, "--out", str(tmp_path / "run")]) == 0
    assert main(["evaluate", str(tmp_path / "run"), *data]) == 0
