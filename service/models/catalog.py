"""Models that are served at present; `service.models.keeper` loads them."""

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
    """Version of a model: loaded, or the reason why it is not.

    A request may use an entry after the catalog has dropped it.
    """

    published: PublishedModel
    """Model file in the repository."""
    engine: ServedEngine | None = None
    """Loaded network; None if loading failed."""
    sha256: str | None = None
    """SHA-256 of the loaded file."""
    error: str | None = None
    """Reason why the present file is not served."""
    unloaded: bool = False
    """Whether an administrator unloaded the model."""

    @property
    def ready(self) -> bool:
        """Whether the network is loaded and works."""
        return self.engine is not None and self.engine.failure is None

    @property
    def state(self) -> State:
        """State as reported to clients."""
        return "ready" if self.ready else "unloaded" if self.unloaded else "failed"

    @property
    def reason(self) -> str | None:
        """Reason why the version, or the present state of its file, is not served."""
        return (self.engine and self.engine.failure) or self.error

    @property
    def name(self) -> str:
        """NAME/VERSION."""
        return f"{self.published.name}/{self.published.version}"

    @property
    def spec(self) -> ModelSpec:
        """Spec of a loaded model."""
        assert self.engine is not None
        return self.engine.spec


@dataclass(slots=True)
class Catalog:
    """All models of a repository."""

    entries: tuple[CatalogEntry, ...] = ()
    """Sorted by name, then version. A change replaces the tuple as a whole."""
    kept: tuple[CatalogEntry, ...] = ()
    """Versions that only open jobs use: `versions` leaves them out, or their folder is gone."""
    default_model: str | None = None
    """Model of requests that name none."""
    draining: WeakSet[ServedEngine] = field(default_factory=WeakSet)
    """Dropped networks that requests in flight still use. A change replaces the set as a whole."""

    def find(self, name: str | None, version: int | None) -> CatalogEntry:
        """Returns a version of a model; the newest ready version if `version` is None.

        Raises:
            UnusableInputError: `name` is None, there is no default, and several models are served.
            UnknownModelError: there is no such model or version.
            ModelUnavailableError: loading failed, or the model was unloaded.
        """
        name = name or self.default_model or self._only_name()
        versions = [entry for entry in self.entries if entry.published.name == name]
        candidates = [entry for entry in versions if version in (None, entry.published.version)]
        if not candidates:
            raise UnknownModelError(f"no model {_describe(name, version)}; {self._served()}")
        ready = [entry for entry in candidates if entry.ready]
        if not ready:
            raise ModelUnavailableError(
                f"model {_describe(name, version)} is not served: {candidates[-1].reason}"
            )
        return ready[-1]

    def find_pinned(self, name: str | None, version: int | None) -> CatalogEntry:
        """Returns a version of a model for a job that was submitted with it.

        Raises:
            UnusableInputError, UnknownModelError, ModelUnavailableError: raised as by `find`.
        """
        for entry in self.kept:
            if entry.ready and (entry.published.name, entry.published.version) == (name, version):
                return entry
        return self.find(name, version)

    def versions(self, name: str) -> list[CatalogEntry]:
        """Returns all versions of a model, loaded or not.

        Raises:
            UnknownModelError: there is no such model.
        """
        entries = [entry for entry in self.entries if entry.published.name == name]
        if not entries:
            raise UnknownModelError(f"no model {name!r}; {self._served()}")
        return entries

    def ready(self) -> int:
        """Returns the number of versions that are ready."""
        return sum(entry.ready for entry in self.entries)

    def _only_name(self) -> str:
        names = {entry.published.name for entry in self.entries}
        if len(names) == 1:
            return names.pop()
        if not names:
            raise UnknownModelError("no model is served: the repository is empty")
        raise UnusableInputError(f"several models are served, name one; {self._served()}")

    def _served(self) -> str:
        names = [entry.name for entry in self.entries if entry.ready]
        return f"served models: {', '.join(names) or 'none'}"


def _describe(name: str, version: int | None) -> str:
    return repr(name) if version is None else f"{name!r} version {version}"
