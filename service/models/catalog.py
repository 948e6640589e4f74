"""The models that are served, as they are now; `service.models.keeper` loads them."""

from dataclasses import dataclass, field
from typing import Literal, TypeAlias
from weakref import WeakSet

from model.repository import PublishedModel
from model.spec import ModelSpec
from service.errors import ModelUnavailableError, UnknownModelError, UnusableInputError
from service.models.served_engine import ServedEngine

State: TypeAlias = Literal["ready", "failed", "unloaded"]


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One version of one model: loaded, or the reason why not. Who found one may keep using it."""

    published: PublishedModel
    """Its place in the repository."""
    engine: ServedEngine | None = None
    """Runs it; None if it failed to load."""
    sha256: str | None = None
    """Hash of the file that was loaded."""
    error: str | None = None
    """Why its file, as it is now, is not served."""
    unloaded: bool = False
    """Whether it was asked to be unloaded."""

    @property
    def ready(self) -> bool:
        """Whether it was loaded and can be run."""
        return self.engine is not None and self.engine.failure is None

    @property
    def state(self) -> State:
        """Whether it is served."""
        return "ready" if self.ready else "unloaded" if self.unloaded else "failed"

    @property
    def reason(self) -> str | None:
        """Why it is not served, or not as its file is now."""
        return (self.engine and self.engine.failure) or self.error

    @property
    def name(self) -> str:
        """NAME/VERSION."""
        return f"{self.published.name}/{self.published.version}"

    @property
    def spec(self) -> ModelSpec:
        """What it says of itself; of a loaded one only."""
        assert self.engine is not None
        return self.engine.spec


@dataclass(slots=True)
class Catalog:
    """All models of a repository."""

    entries: tuple[CatalogEntry, ...] = ()
    """By name, then by version; replaced as a whole where something changes."""
    default_model: str | None = None
    """Name of the model for requests that name none."""
    draining: WeakSet[ServedEngine] = field(default_factory=WeakSet)
    """Networks that requests under way still use, though nobody finds them any more; replaced as a
    whole, too."""

    def find(self, name: str | None, version: int | None) -> CatalogEntry:
        """Returns the version asked for, or of a model's ready versions the newest.

        Raises:
            UnusableInputError: no name was given and several models are served.
            UnknownModelError: there is no such model or version.
            ModelUnavailableError: it failed, or was unloaded.
        """
        name = name or self.default_model or self._only_name()
        versions = [entry for entry in self.entries if entry.published.name == name]
        asked = [entry for entry in versions if version in (None, entry.published.version)]
        if not asked:
            raise UnknownModelError(f"no model {_called(name, version)}; {self._offer()}")
        ready = [entry for entry in asked if entry.ready]
        if not ready:
            raise ModelUnavailableError(
                f"model {_called(name, version)} is not served: {asked[-1].reason}"
            )
        return ready[-1]

    def versions(self, name: str) -> list[CatalogEntry]:
        """Returns all versions of a model, loaded or not.

        Raises:
            UnknownModelError: there is none.
        """
        entries = [entry for entry in self.entries if entry.published.name == name]
        if not entries:
            raise UnknownModelError(f"no model {name!r}; {self._offer()}")
        return entries

    def ready(self) -> int:
        """Returns how many versions can be served."""
        return sum(entry.ready for entry in self.entries)

    def _only_name(self) -> str:
        names = {entry.published.name for entry in self.entries}
        if len(names) == 1:
            return names.pop()
        if not names:
            raise UnknownModelError("no model is served: the repository is empty")
        raise UnusableInputError(f"several models are served, name one; {self._offer()}")

    def _offer(self) -> str:
        served = [entry.name for entry in self.entries if entry.ready]
        return f"served are {', '.join(served) or 'none'}"


def _called(name: str, version: int | None) -> str:
    return repr(name) if version is None else f"{name!r} version {version}"
