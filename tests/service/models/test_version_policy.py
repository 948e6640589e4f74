"""Setting `versions`: which versions of each model are served."""

import re
from pathlib import Path

import pytest

from model.errors import OptionError
from model.repository import publish
from service.configuration import read_configuration
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper
from service.models.served_engine import ServingConfig
from service.models.version_policy import served_versions


@pytest.fixture
def crowded(tmp_path: Path) -> Path:
    """A repository with four versions of `a` and two of `b`."""
    root = tmp_path / "crowded"
    for name in "aaaabb":
        publish(root, name, lambda path: path.write_bytes(b""))
    return root


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        ({}, "a/1 a/2 a/3 a/4 b/1 b/2"),
        ({"*": "newest"}, "a/4 b/2"),
        ({"a": "newest:3"}, "a/2 a/3 a/4 b/1 b/2"),
        ({"a": "newest:30", "*": "newest:1"}, "a/1 a/2 a/3 a/4 b/2"),
        ({"a": (1, 3), "*": "newest"}, "a/1 a/3 b/2"),
        ({"a": "all", "*": ()}, "a/1 a/2 a/3 a/4"),
        ({"a": (2, 9), "c": (5,), "*": "newest"}, "a/2 a/9 b/2 c/5"),
        ({"c": "newest"}, "a/1 a/2 a/3 a/4 b/1 b/2"),
    ],
)
def test_each_model_is_served_as_its_policy_says(
    crowded: Path, policies: dict[str, str | tuple[int, ...]], expected: str
) -> None:
    """All, the newest, listed ones, present or not; * for models without their own policy."""
    served = served_versions(crowded, policies).models
    assert expected == " ".join(f"{model.name}/{model.version}" for model in served)
    assert all(
        model.path == crowded / model.name / str(model.version) / "model.onnx" for model in served
    )


def test_flag_environment_and_file_take_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A table in the file, JSON in the environment, JSON or NAME=POLICY as a flag."""
    file = tmp_path / "ecm.toml"
    file.write_text('[versions]\nsmall = [3, 1, 3]\n"*" = "newest:2"\n')
    expected = {"small": (1, 3), "*": "newest:2"}
    configuration = read_configuration({"config": file})
    assert expected == configuration.settings.versions
    assert 'versions = {"small": [1, 3], "*": "newest:2"}' in configuration.lines()
    monkeypatch.setenv("ECM_VERSIONS", '{"small": [1, 3], "*": "newest:2"}')
    assert expected == read_configuration({}).settings.versions
    flags = {"versions": ("small=newest", "*=all")}
    configuration = read_configuration(flags)
    assert configuration.settings.versions == {"small": "newest", "*": "all"}
    assert configuration.origins["versions"] == "flag"
    configuration = read_configuration({"versions": ('{"small": [2]}',)})
    assert configuration.settings.versions == {"small": (2,)}


@pytest.mark.parametrize(
    "wrong", ['"latest"', '"newest:0"', '"newest:x"', "2", "[0]", "[1.5]", '["1"]', "[true]", "{}"]
)
def test_wrong_policies_are_errors(wrong: str) -> None:
    """The error names the model, the value and the expectation."""
    text = f'{{"fine": "all", "small": {wrong}}}'
    expected = r"setting versions.small \(flag\): .*expected all, newest, newest:N, or a list"
    with pytest.raises(OptionError, match=expected):
        read_configuration({"versions": (text,)})


def test_a_value_that_is_no_table_is_an_error() -> None:
    """The error shows the syntax of a table."""
    with pytest.raises(OptionError, match=re.escape('{"a": "b"}')):
        read_configuration({"versions": ("newest",)})


def test_listed_but_absent_versions_are_reported_and_stop_no_other(
    repository: Path, exported: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """Until they appear; a missing model is logged at the start."""
    policies = {"small": (1, 2), "other": (7,), "typo": "newest", "unwanted": ()}
    keeper = ModelKeeper(Catalog(), repository, ServingConfig(), policies)
    assert "no model 'typo'" in caplog.text
    assert "unwanted" not in caplog.text
    states = {entry.name: entry.state for entry in keeper.catalog.entries}
    assert states == {"other/7": "failed", "small/1": "ready", "small/2": "failed"}
    assert keeper.catalog.find("small", None).published.version == 1
    (absent,) = keeper.catalog.versions("other")
    assert absent.reason == "other/7/model.onnx cannot be read: No such file or directory"
    assert "model small/2 is not served" in caplog.text
    caplog.clear()
    keeper.refresh()
    assert not caplog.records
    publish(repository, "small", lambda path: path.write_bytes(exported))
    keeper.refresh()
    assert keeper.catalog.find("small", None).published.version == 2
