"""Setting `versions`: which versions of a model are served."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator

from model.repository import MODEL_FILE, PublishedModel, list_models

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


def served_versions(
    repository: Path, policies: Mapping[str, VersionPolicy]
) -> Iterator[PublishedModel]:
    """Yields the versions to serve, sorted by name, then version.

    Versions that a policy lists are included even if they do not exist. Reading them then fails.

    Args:
        repository: folder with NAME/VERSION/model.onnx.
        policies: policies by model name; all versions of a model without a policy are served.
    """
    present = {
        name: list(versions)
        for name, versions in groupby(list_models(repository), lambda model: model.name)
    }
    for name in sorted({*present, *policies} - {OTHERS}):
        policy = policies.get(name, policies.get(OTHERS, _ALL))
        if isinstance(policy, tuple):
            for version in policy:
                yield PublishedModel(name, version, repository / name / str(version) / MODEL_FILE)
        else:
            yield from present.get(name, [])[-_count(policy) :]


def _count(policy: str) -> int:
    """Returns the number of newest versions that a policy serves; 0 for all."""
    newest = _NEWEST.fullmatch(policy)
    return int(newest[1] or 1) if newest else 0
