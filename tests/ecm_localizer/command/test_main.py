"""`ecm` in processes of its own: what it loads, how it ends, and its errors."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ecm_localizer.command.main import main

ROOT = Path(__file__).parents[3]
ENTRY = "import sys; from ecm_localizer.command.main import main; sys.exit(main())"


def ecm(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs `ecm` in a process of its own."""
    return subprocess.run(
        [sys.executable, "-c", ENTRY, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | environment,
    )


@pytest.mark.parametrize(
    "value", [["--require-cuda"], ["--require-cuda", "true"], ["--require-cuda=true"]]
)
def test_switches_take_a_value_in_each_form(
    value: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Alone, with `true` after it, and with `=true`."""
    assert main(["config", "--json", *value]) == 0
    assert json.loads(capsys.readouterr().out)["require_cuda"]["value"] is True


@pytest.mark.parametrize("words", [["--help"], ["presets"], ["presets", "demo"], ["--version"]])
def test_lists_load_no_heavy_package(words: list[str]) -> None:
    """They answer at once, with torch and without."""
    code = (
        f"import sys; from ecm_localizer.command.main import main; assert main({words!r}) == 0; "
        "assert not {'torch', 'fastapi', 'onnxruntime', 'cv2', 'av'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT, capture_output=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ft"], "unknown command 'ft'; did you mean 'fit'?"),
        (["cook"], "unknown command 'cook'; expected one of fit, cross-validate"),
        (["fit", "--out", "x", "--epoch", "3"], "Unknown option: --epoch. Did you mean --epochs?"),
        (["fit", "--out", "x", "--epochs", "many"], "--epochs"),
        (["fit", "--epochs", "3"], "--out"),
        (["score", "a.json"], "PREDICTIONS"),
        (["reproduce", "table9"], '"table1"'),
        (["presets", "dmo"], '"demo"'),
        (["export", "x", "--name", "m", "extra"], "extra"),
    ],
)
def test_wrong_usage_is_one_sentence_with_status_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The sentence names the word, and the likely spelling if there is one."""
    assert main(words) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert error.count("\n") == 1


def test_errors_are_one_line_with_status_1(capsys: pytest.CaptureFixture[str]) -> None:
    """A file that does not exist, for one."""
    assert main(["score", "absent.json", "absent.json"]) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert "absent.json" in error


def test_a_side_has_its_own_commands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """`python -m training` and `python -m service` share `localize`."""
    assert main(["serve"], side="training") == 2
    assert main(["fit"], side="service") == 2
    for side in ("training", "service"):
        assert main(["localize", "--help"], side=side) == 0  # type: ignore[arg-type]
        assert f"python -m {side} localize" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("command", "package", "extra"),
    [("fit", "torch", "train"), ("serve", "uvicorn", "service"), ("work", "fastapi", "service")],
)
def test_a_missing_package_is_named_with_its_pip_line(
    command: str, package: str, extra: str
) -> None:
    """As on an installation without the extra."""
    code = f"import sys; sys.modules[{package!r}] = None; {ENTRY}"
    result = subprocess.run(
        [sys.executable, "-c", code, command], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 1
    assert result.stderr == (
        f"error: ecm {command} needs the package {package}: "
        f"pip install -c constraints.txt '.[{extra}]'\n"
    )


def test_a_closed_pipe_ends_quietly() -> None:
    """`ecm config | head -1`, with more output than a pipe holds."""
    command = f"{sys.executable} -c '{ENTRY}' openapi | head -1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, text=True, cwd=ROOT)
    assert (result.returncode, result.stdout, result.stderr) == (141, "{\n", "")


def test_ctrl_c_ends_at_once_and_quietly(tmp_path: Path) -> None:
    """Status 130, as a shell has it; a service that does not answer is not waited for."""
    np.save(tmp_path / "a.npy", np.zeros((4, 8), np.float32))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, "localize", str(tmp_path / "a.npy"), "--url", url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        connection, _ = server.accept()
        with connection:
            process.send_signal(signal.SIGINT)
            output, errors = process.communicate(timeout=20)
    assert (process.returncode, output, errors) == (130, "", "")


def test_an_encoding_without_letters_prints_escapes(tmp_path: Path) -> None:
    """Names that cannot be encoded, and no terminal."""
    path = tmp_path / "Prüfung 体操.npy"
    result = ecm("localize", path, "--url", "http://127.0.0.1:1", PYTHONIOENCODING="ascii")
    assert result.returncode == 1
    assert "Pr\\xfcfung \\u4f53\\u64cd.npy" in result.stderr
    assert "Traceback" not in result.stderr
    assert ecm("localize", "--help", PYTHONIOENCODING="ascii", COLUMNS="40").returncode == 0


def test_python_m_runs_the_same_command() -> None:
    """`python -m training presets` prints what `ecm presets` does."""
    outputs = {
        subprocess.run(
            [sys.executable, *words, "presets"], check=True, capture_output=True, cwd=ROOT
        ).stdout
        for words in (["-m", "training"], ["-c", ENTRY])
    }
    assert len(outputs) == 1
