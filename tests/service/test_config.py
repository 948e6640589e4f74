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
    flags = {"config": file, "port": 83}
    found = read_configuration(flags)
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
    found = read_configuration({"database_url": url})
    assert shown == found.shown()["database_url"]
    assert "hid" not in found.lines() + found.to_json()


def test_a_wrong_secret_is_not_quoted(file: Path) -> None:
    """The error names the setting only."""
    file.write_text("database_url = 774411\n")
    with pytest.raises(OptionError, match=r"setting database_url \(file .*\)") as caught:
        read_configuration({"config": file})
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
    told = config(ECM_VIDEO_HOSTS='["a.example.org"')
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


@pytest.mark.parametrize("text", ["a.org,b.org", " a.org , b.org,", '["a.org", "b.org"]'])
def test_a_list_has_commas_or_is_json(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in a flag."""
    monkeypatch.setenv("ECM_VIDEO_HOSTS", text)
    assert read_configuration({}).settings.video_hosts == ("a.org", "b.org")
    flags = {"cors_origins": (text,)}
    assert read_configuration(flags).settings.cors_origins == ("a.org", "b.org")


def test_every_list_and_table_may_be_plain_text(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers, paths and the table of versions too."""
    monkeypatch.setenv("ECM_WARM_SNIPPETS", "64,750")
    monkeypatch.setenv("ECM_VIDEO_ROOTS", "/a,/b")
    monkeypatch.setenv("ECM_VERSIONS", "fights=[1, 3],*=newest:2")
    found = read_configuration({}).settings
    assert found.warm_snippets == (64, 750)
    assert (Path("/a"), Path("/b")) == found.video_roots
    assert {"fights", "*"} == set(found.versions)
    monkeypatch.setenv("ECM_VERSIONS", '{"fights": [1, 3], "*": "newest:2"}')
    assert found.versions == read_configuration({}).settings.versions


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """For every setting, because compose files write `${X:-}`."""
    for name in Settings.model_fields:
        monkeypatch.setenv(f"ECM_{name.upper()}", "")
    monkeypatch.setenv("ECM_PORT", " ")
    found = read_configuration({})
    assert (Settings(), ()) == (found.settings, found.warnings)
    assert {"default"} == set(found.origins.values())


def test_service_links_of_kubernetes_are_no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """A Service named ecm, or ecm-metrics, changes no port; one sentence names the remedy."""
    for service in ("ECM", "ECM_METRICS"):
        for name, value in {
            "SERVICE_HOST": "10.0.0.1",
            "SERVICE_PORT": "8000",
            "SERVICE_PORT_HTTP": "8000",
            "PORT": "tcp://10.0.0.1:8000",
            "PORT_8000_TCP": "tcp://10.0.0.1:8000",
            "PORT_8000_TCP_PROTO": "tcp",
            "PORT_8000_TCP_PORT": "8000",
            "PORT_8000_TCP_ADDR": "10.0.0.1",
        }.items():
            monkeypatch.setenv(f"{service}_{name}", value)
    found = read_configuration({})
    assert (found.settings.port, found.settings.metrics_port) == (8000, None)
    assert [text.split("=")[0] for text in found.warnings] == ["ECM_METRICS_PORT", "ECM_PORT"]
    assert all("enableServiceLinks: false" in text for text in found.warnings)


def test_a_mistyped_variable_is_named_with_the_likely_spelling() -> None:
    """`config` prints it, and the variable of the client is none."""
    told = config(ECM_REPOSITRY="/srv/models", ECM_API_KEY="secret", ECM_COLOUR="red")
    assert told.returncode == 0
    assert "ECM_REPOSITRY is ignored, because it is no setting; did you mean ECM_REPOSITORY?" in (
        told.stderr
    )
    assert "ECM_COLOUR is ignored" in told.stderr
    assert "ECM_API_KEY " not in told.stderr


def test_serve_logs_mistyped_variables(launch, repository: Path, tmp_path: Path) -> None:
    """As a warning, in the format of the log."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ECM_REPOSITRY", "/srv/models")
        process = launch("serve", repository=repository, data=tmp_path / "data", jobs=0,
                         log_format="json")  # fmt: skip
    lines = [json.loads(line) for line in process.log.read_text().splitlines()]
    assert any("did you mean ECM_REPOSITORY?" in str(line) for line in lines), lines


def test_a_byte_order_mark_is_no_part_of_a_file(file: Path) -> None:
    """Editors on Windows write one before TOML."""
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes())
    assert read_configuration({"config": file}).settings.port == 81
