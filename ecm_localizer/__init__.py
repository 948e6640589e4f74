"""The front door: `Localizer` for a model in this process, `Client` for one in a service.

    from ecm_localizer import Localizer

    for segment in Localizer.open("models/mine").localize("match.mp4"):
        print(segment.label, segment.start_s, segment.end_s, segment.score)

Names are imported when they are used: `Client` loads httpx, numpy and pydantic only.
"""

from importlib import import_module, metadata
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ecm_client.clients import AsyncClient, Client
    from ecm_client.errors import InputError, LocalizerError, LocalizerServiceError
    from ecm_client.localization import Localization
    from ecm_client.options import Progress
    from ecm_client.segments import Segment
    from ecm_localizer.installation import InstallationError
    from ecm_localizer.localizer import Localizer

    __version__: str

__all__ = [
    "AsyncClient",
    "Client",
    "InputError",
    "InstallationError",
    "Localization",
    "Localizer",
    "LocalizerError",
    "LocalizerServiceError",
    "Progress",
    "Segment",
]

_HOMES = {
    "AsyncClient": "ecm_client.clients",
    "Client": "ecm_client.clients",
    "InputError": "ecm_client.errors",
    "InstallationError": "ecm_localizer.installation",
    "Localization": "ecm_client.localization",
    "Localizer": "ecm_localizer.localizer",
    "LocalizerError": "ecm_client.errors",
    "LocalizerServiceError": "ecm_client.errors",
    "Progress": "ecm_client.options",
    "Segment": "ecm_client.segments",
}


if not TYPE_CHECKING:  # so that type checkers know no other names than those above

    def __getattr__(name: str) -> Any:
        """Imports a public name when it is used."""
        if name == "__version__":
            return _version()
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        if name != "Localizer":
            return getattr(import_module(_HOMES[name]), name)
        from ecm_localizer.installation import needed

        with needed("Localizer", extra="service", packages=("model",)):
            return getattr(import_module(_HOMES[name]), name)


def _version() -> str:
    try:
        return metadata.version("ecm-localizer")
    except metadata.PackageNotFoundError:
        return "0+uninstalled"


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
