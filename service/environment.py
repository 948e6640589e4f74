"""Reads the settings from environment variables, and finds variables that cannot be meant so."""

import difflib
import os
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "ECM_"
_OTHERS: Final = frozenset({"api_key"})
"""Variables with the prefix that are no settings of the service: `ecm localize` reads them."""
_LINK_NAME: Final = re.compile(
    r"ecm(_\w+)?_(service_(host|port(_\w+)?)|port_\d+_(tcp|udp|sctp)(_(proto|port|addr))?)"
)
_LINK_VALUE: Final = re.compile(r"(tcp|udp|sctp)://")
_LISTED = 5


@dataclass(frozen=True, slots=True)
class Environment:
    """Settings in environment variables."""

    values: dict[str, str]
    """Text of each setting that is set and not empty, by name."""
    warnings: tuple[str, ...]
    """One sentence for each mistake that the settings survive."""


def read_environment(names: Collection[str]) -> Environment:
    """Returns the settings in the environment of this process.

    An empty variable counts as unset, because compose files write `${X:-}` for an optional value.
    Kubernetes sets variables for each Service of the namespace. Those of a Service whose name
    begins with `ecm` look like settings, as ECM_PORT=tcp://10.0.0.1:8000, and are skipped.

    Args:
        names: names of all settings.
    """
    given = {
        name.lower(): value
        for name, value in os.environ.items()
        if name.upper().startswith(PREFIX) and value.strip()
    }
    links = {name for name, value in given.items() if _is_service_link(name, value)}
    values = {
        name: given[variable]
        for name in names
        if (variable := f"{PREFIX}{name}".lower()) in given and variable not in links
    }
    known = {f"{PREFIX}{name}".lower() for name in {*names, *_OTHERS}}
    warnings = (*_link_warnings(links & known, given), *_typo_warnings(given.keys() - links, known))
    return Environment(values, warnings)


def _is_service_link(name: str, value: str) -> bool:
    if _LINK_NAME.fullmatch(name):
        return True
    # This form is also that of the settings port and metrics_port.
    return name.endswith("_port") and bool(_LINK_VALUE.match(value))


def _link_warnings(links: Collection[str], given: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(links):
        yield (
            f"{name.upper()}={given[name][:100]} is ignored, because Kubernetes sets it for a "
            "Service of this name; set enableServiceLinks: false in the pod, or rename the Service"
        )


def _typo_warnings(names: Collection[str], known: Collection[str]) -> Iterator[str]:
    unknown = sorted(set(names) - set(known))
    for name in unknown[:_LISTED]:
        close = difflib.get_close_matches(name, known, n=1)
        expected = f"did you mean {close[0].upper()}?" if close else "`ecm config` lists them all"
        yield f"{name.upper()} is ignored, because it is no setting; {expected}"
    if len(unknown) > _LISTED:
        yield f"{len(unknown) - _LISTED} more variables {PREFIX}... are no settings"
