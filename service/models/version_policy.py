"""Setting `versions`: which versions of a model are served."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator

from model.repository import MODEL_FILE, PublishedModel, list_names, list_versions

OTHERS: Final = "*"
"""Key of the policy for models without their own."""

_ALL: Final = "all"
_NEWEST = re.compile(r"newest(?::([1-9][0-9]*))?")


def _parse(value: object) -> object:
    """Returns a policy in its stored form: a word, or sorted versions."""
    if isinstance(value, str) and (value == _ALL or _NEWEST.fullmatch(value)):
        return value
    if isinstance(value, list | tuple) and all(type(v) is int and v > 0 for v in value):
        return tuple(sorted(set(value)))
    raise ValueError("expected all, newest, newest:N, or a list of versions, as [1, 3]")


VersionPolicy: TypeAlias = Annotated[str | tuple[int, ...], BeforeValidator(_parse)]
"""`all`, `newest`, `newest:N`, or a list of versions."""


@dataclass(frozen=True, slots=True)
class ServedVersions:
    """Versions to serve, as far as their folders can be read."""

    models: list[PublishedModel] = field(default_factory=list)
    """The versions, sorted by name, then version."""
    unreadable: dict[str, OSError] = field(default_factory=dict)
    """Reason for each model whose folder cannot be read."""


def served_versions(repository: Path, policies: Mapping[str, VersionPolicy]) -> ServedVersions:
    """Returns the versions to serve.

    Versions that a policy lists are included even if they do not exist. Reading them then fails.

    Args:
        repository: folder with NAME/VERSION/model.onnx.
        policies: policies by model name; all versions of a model without a policy are served.

    Raises:
        OSError: the repository itself cannot be read.
    """
    served = ServedVersions()
    present = set(list_names(repository))
    for name in sorted({*present, *policies} - {OTHERS}):
        policy = policies.get(name, policies.get(OTHERS, _ALL))
        if isinstance(policy, tuple):
            served.models.extend(published(repository, name, version) for version in policy)
        elif name in present:
            try:
                served.models.extend(list_versions(repository / name)[-_count(policy) :])
            except OSError as error:
                served.unreadable[name] = error
    return served


def published(repository: Path, name: str, version: int) -> PublishedModel:
    """Returns a version of a model, whether its file exists or not."""
    return PublishedModel(name, version, repository / name / str(version) / MODEL_FILE)


def _count(policy: str) -> int:
    """Returns the number of newest versions that a policy serves; 0 for all."""
    newest = _NEWEST.fullmatch(policy)
    return int(newest[1] or 1) if newest else 0
