"""The documents agree with the software."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ecm_localizer.command.main import main
from service.settings import Settings

ROOT = Path(__file__).parents[1]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "SECURITY.md",
    *(path for path in sorted(ROOT.glob("docs/**/*.md")) if "generated" not in path.parts),
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


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_no_document_holds_two_versions_of_a_text(document: Path) -> None:
    """A merge with conflicts leaves both, between markers."""
    lines = document.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith(("<<<<<<<", ">>>>>>>", "======="))] == []


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
    for target in re.findall(r"(?:^|`)make ([a-z-]+)", text, flags=re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, flags=re.MULTILINE), target


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
