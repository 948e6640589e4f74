"""Reads the settings: a flag overrides an environment variable, the file, and the default."""

import json
import logging
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from model.errors import OptionError
from service.environment import read_environment
from service.settings import Settings

_log = logging.getLogger(__name__)
_DEFAULT = "default"
_MASK = "***"
_PASSWORD = re.compile(r"(?<=[?&]password=)[^&]*|(?<=[?&]sslpassword=)[^&]*")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings in force and the source of each value."""

    settings: Settings
    """Values of the settings."""
    origins: dict[str, str]
    """Source of each value: flag, environment, file PATH or default."""
    warnings: tuple[str, ...] = ()
    """Sentences about environment variables that are ignored."""

    def shown(self) -> dict[str, Any]:
        """Returns the values in their JSON form, with secrets masked."""
        values = self.settings.model_dump(mode="json")
        if self.settings.database_url is not None:
            values["database_url"] = _without_password(self.settings.database_url)
        values["api_keys"] = [_MASK for _ in self.settings.api_keys]
        return values

    def log_warnings(self) -> None:
        """Logs the warnings, once there is a handler for them."""
        for warning in self.warnings:
            _log.warning("%s", warning)

    def lines(self) -> str:
        """Returns one line for each setting: its value and its source."""
        lines = (f"{name} = {json.dumps(value)}" for name, value in self.shown().items())
        return "\n".join(
            f"{line:<45} # {origin}"
            for line, origin in zip(lines, self.origins.values(), strict=True)
        )

    def to_json(self) -> str:
        """Returns the value and the source of each setting as a JSON object."""
        table = {
            name: {"value": value, "from": self.origins[name]}
            for name, value in self.shown().items()
        }
        return json.dumps(table, indent=2)


def read_configuration(flags: Mapping[str, Any]) -> Configuration:
    """Returns the settings that a command was started with.

    Args:
        flags: settings that the command line gives, by name.

    Raises:
        OptionError: one cannot be used, or the file cannot be read.
    """
    environment = read_environment(Settings.model_fields)
    sources: list[tuple[str, Mapping[str, Any]]] = [
        ("environment", environment.values),
        ("flag", flags),
    ]
    file = flags.get("config", environment.values.get("config"))
    if file is not None:
        sources.insert(0, (f"file {file}", _read_file(Path(file))))
    values: dict[str, Any] = {}
    origins = dict.fromkeys(Settings.model_fields, _DEFAULT)
    for origin, given in sources:
        values |= given
        origins |= dict.fromkeys(given, origin)
    try:
        return Configuration(Settings(**values), origins, environment.warnings)
    except ValidationError as error:
        raise OptionError(_complaints(error, origins)) from None


def _read_file(path: Path) -> dict[str, Any]:
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise OptionError(f"settings file {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise OptionError(f"settings file {path} is not TOML: {error}") from error
    names = Settings.model_fields.keys() - {"config"}
    if unknown := sorted(values.keys() - names):
        raise OptionError(
            f"settings file {path}: unknown keys {', '.join(unknown)}; expected the names in "
            "the output of `ecm config`"
        )
    return values


def _complaints(error: ValidationError, origins: dict[str, str]) -> str:
    """Returns one line for each wrong setting; values of secret settings are left out."""
    lines = []
    for wrong in error.errors():
        name = str(wrong["loc"][0])
        place = ".".join(map(str, wrong["loc"]))
        got = "" if name in Settings.secrets else f", got {wrong['input']!r}"
        lines.append(f"setting {place} ({origins[name]}): {wrong['msg']}{got}")
    return "\n".join(lines)


def _without_password(url: str) -> str:
    """Returns a database URL with its password masked; masks an unusual URL completely."""
    scheme, separator, rest = url.partition("://")
    if not separator:
        return _MASK
    account, at, place = rest.rpartition("@")
    user, colon, _ = account.partition(":")
    shown = f"{user}:{_MASK}" if colon else account
    return f"{scheme}://{shown}{at}{_PASSWORD.sub(_MASK, place)}"
