"""Sources of the settings, and the output of `python -m service config`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from model.errors import OptionError
from service.configuration import read_configuration
from service.settings import Settings

ROOT = Path(__file__).parents[2]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A settings file."""
    path = tmp_path / "ecm.toml"
    path.write_text('port = 81\nwait_s = 2\nvideo_hosts = ["a.example.org"]\n')
    return path


def config(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "service", "config", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=ROOT, env=os.environ | environment
    )


def test_each_source_overrides_the_next(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag overrides the environment, then the file, then the default."""
    monkeypatch.setenv("ECM_PORT", "82")
    monkeypatch.setenv("ECM_WAIT_S", "3")
    flags = ["--config", str(file), "--port", "83"]
    found = read_configuration(flags, command="config")
    names = ("port", "wait_s", "video_hosts", "jobs")
    values = [getattr(found.settings, name) for name in names]
    assert values == [83, 3.0, ("a.example.org",), 1]
    origins = [found.origins[name] for name in names]
    assert ["flag", "environment", f"file {file}", "default"] == origins
    assert list(Settings.model_fields) == list(found.origins)


def test_a_flag_or_the_environment_names_the_file(file: Path, tmp_path: Path) -> None:
    """--config overrides ECM_CONFIG."""
    other = tmp_path / "other.toml"
    other.write_text("port = 91\n")
    assert "port = 81 " in config(ECM_CONFIG=str(file)).stdout
    assert "port = 91 " in config("--config", other, ECM_CONFIG=str(file)).stdout


def test_config_prints_every_setting_with_its_source(file: Path) -> None:
    """It prints a line for each setting, or the same as JSON."""
    lines = config("--config", file, "--jobs", 3).stdout.splitlines()
    assert list(Settings.model_fields) == [line.split(" = ")[0] for line in lines]
    assert any(line.split() == ["jobs", "=", "3", "#", "flag"] for line in lines)
    told = json.loads(config("--json", "--config", file, "--jobs", 3).stdout)
    assert told["jobs"] == {"value": 3, "from": "flag"}
    assert {"value": ["a.example.org"], "from": f"file {file}"} == told["video_hosts"]
    assert list(Settings.model_fields) == list(told)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://jobs:hidden@db/jobs", "postgresql://jobs:***@db/jobs"),
        ("postgresql://jobs:hid:d@en@db/jobs", "postgresql://jobs:***@db/jobs"),
        ("postgresql://db/jobs?user=a&password=hidden&x=1",
         "postgresql://db/jobs?user=a&password=***&x=1"),
        ("postgresql://jobs@db/jobs", "postgresql://jobs@db/jobs"),
        ("host=db password=hidden", "***"),
    ],
)  # fmt: skip
def test_database_password_is_masked(url: str, shown: str) -> None:
    """The password may be in any part of the URL."""
    found = read_configuration(["--database-url", url], command="config")
    assert shown == found.shown()["database_url"]
    assert "hid" not in found.lines() + found.to_json()


def test_a_wrong_secret_is_not_quoted(file: Path) -> None:
    """The error names the setting only."""
    file.write_text("database_url = 774411\n")
    with pytest.raises(OptionError, match=r"setting database_url \(file .*\)") as caught:
        read_configuration(["--config", str(file)], command="config")
    assert "774411" not in str(caught.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("colour = 1\nshape = 2\n", "unknown keys colour, shape"),
        ("[service]\nport = 1\n", "unknown keys service"),
        ("config = 'b.toml'\n", "unknown keys config"),
        ("port = 99999\n", "setting port (file "),
        ("port = \n", "is not TOML"),
    ],
)
def test_a_wrong_file_is_an_error_with_a_reason(file: Path, content: str, words: str) -> None:
    """Reasons are unknown keys, values out of range, and invalid TOML."""
    file.write_text(content)
    told = config("--config", file)
    assert told.returncode == 2
    assert words in told.stderr
    assert "Traceback" not in told.stderr


def test_a_missing_file_and_a_malformed_variable_are_errors(tmp_path: Path) -> None:
    """Neither is ignored."""
    told = config("--config", tmp_path / "none.toml")
    assert (told.returncode, "none.toml cannot be read" in told.stderr) == (2, True)
    told = config(ECM_VIDEO_HOSTS="a.example.org")
    assert (told.returncode, "expected JSON" in told.stderr) == (2, True)
    assert "Traceback" not in told.stderr


def test_serve_reads_the_file(launch, repository: Path, tmp_path: Path) -> None:
    """The service has the models of the repository in the file."""
    file = tmp_path / "ecm.toml"
    file.write_text(f'repository = "{repository}"\ndata = "{tmp_path / "data"}"\njobs = 0\n')
    process = launch("serve", config=file)
    told = httpx.get(f"{process.url}/models").json()
    assert [model["name"] for model in told["models"]] == ["small"]


def test_work_reads_the_file(tmp_path: Path) -> None:
    """A worker with `jobs = 0` ends with an error."""
    file = tmp_path / "ecm.toml"
    file.write_text(f'repository = "{tmp_path}"\ndata = "{tmp_path / "data"}"\njobs = 0\n')
    command = [sys.executable, "-m", "service", "work", "--config", str(file)]
    told = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert (told.returncode, "setting jobs to be 1 or more" in told.stderr) == (1, True)
