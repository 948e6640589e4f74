"""Which versions of a model are served: the setting `versions`."""

import re
from collections.abc import Iterator, Mapping
from itertools import groupby
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator

from model.repository import MODEL_FILE, PublishedModel, list_models

OTHERS: Final = "*"
"""Stands for every model that has no policy of its own."""

_ALL: Final = "all"
_NEWEST = re.compile(r"newest(?::([1-9][0-9]*))?")


def _parse(given: object) -> object:
    """Returns a policy as it is kept: a word, or versions in their order."""
    if isinstance(given, str) and (given == _ALL or _NEWEST.fullmatch(given)):
        return given
    if isinstance(given, list | tuple) and all(type(v) is int and v > 0 for v in given):
        return tuple(sorted(set(given)))
    raise ValueError("expected all, newest, newest:N, or a list of versions, as [1, 3]")


VersionPolicy: TypeAlias = Annotated[str | tuple[int, ...], BeforeValidator(_parse)]
"""`all`, `newest`, `newest:N`, or the versions themselves."""


def served_versions(
    repository: Path, policies: Mapping[str, VersionPolicy]
) -> Iterator[PublishedModel]:
    """Yields what is to be served, by name, then by version.

    Versions that a policy lists are among it, there or not: who reads them says so.

    Args:
        repository: folder with NAME/VERSION/model.onnx.
        policies: by model; of a model without one, all versions are served.
    """
    found = {
        name: list(versions)
        for name, versions in groupby(list_models(repository), lambda model: model.name)
    }
    for name in sorted({*found, *policies} - {OTHERS}):
        policy = policies.get(name, policies.get(OTHERS, _ALL))
        if isinstance(policy, tuple):
            for version in policy:
                yield PublishedModel(name, version, repository / name / str(version) / MODEL_FILE)
        else:
            yield from found.get(name, [])[-_count(policy) :]


def _count(policy: str) -> int:
    """Returns how many of the newest versions a policy takes; 0 for all."""
    newest = _NEWEST.fullmatch(policy)
    return int(newest[1] or 1) if newest else 0
