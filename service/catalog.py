"""The models that are served: loaded once, each on its own, so a bad one disturbs no other."""

import logging
from dataclasses import dataclass, field
from pathlib import Path

from model.engine import EngineConfig, OnnxEngine
from model.errors import DeviceError, LocalizerError
from model.repository import PublishedModel, list_models
from model.spec import ModelSpec
from service.errors import ModelUnavailableError, UnknownModelError, UnusableInputError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class CatalogEntry:
    """One version of one model: loaded, or the reason why not."""

    published: PublishedModel
    """Its place in the repository."""
    engine: OnnxEngine | None = None
    """Runs it; None if it failed to load."""
    sha256: str | None = None
    """Hash of the file that was loaded."""
    error: str | None = None
    """Why it failed to load."""

    @property
    def spec(self) -> ModelSpec:
        """What it says of itself; of a loaded one only."""
        assert self.engine is not None
        return self.engine.spec


@dataclass(frozen=True, slots=True)
class Catalog:
    """All models of a repository."""

    entries: tuple[CatalogEntry, ...]
    """By name, then by version."""
    default_model: str | None = field(default=None)
    """Name of the model for requests that name none."""

    def find(self, name: str | None, version: int | None) -> CatalogEntry:
        """Returns the version asked for, or of a model's loaded versions the newest.

        Raises:
            UnusableInputError: no name was given and several models are served.
            UnknownModelError: there is no such model or version.
            ModelUnavailableError: it failed to load.
        """
        name = name or self.default_model or self._only_name()
        versions = [entry for entry in self.entries if entry.published.name == name]
        asked = [entry for entry in versions if version in (None, entry.published.version)]
        if not asked:
            raise UnknownModelError(f"no model {_called(name, version)}; {self._offer()}")
        loaded = [entry for entry in asked if entry.engine]
        if not loaded:
            raise ModelUnavailableError(
                f"model {_called(name, version)} failed to load: {asked[-1].error}"
            )
        return loaded[-1]

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
        return sum(entry.engine is not None for entry in self.entries)

    def _only_name(self) -> str:
        names = {entry.published.name for entry in self.entries}
        if len(names) == 1:
            return names.pop()
        if not names:
            raise UnknownModelError("no model is served: the repository is empty")
        raise UnusableInputError(f"several models are served, name one; {self._offer()}")

    def _offer(self) -> str:
        served = [f"{e.published.name}/{e.published.version}" for e in self.entries if e.engine]
        return f"served are {', '.join(served) or 'none'}"


def _called(name: str, version: int | None) -> str:
    return repr(name) if version is None else f"{name!r} version {version}"


def load_catalog(
    repository: Path, config: EngineConfig, default_model: str | None = None
) -> Catalog:
    """Returns all models of a repository, loaded as far as they can be.

    Raises:
        DeviceError: CUDA is required and not available.
    """
    entries = tuple(_load(published, config) for published in list_models(repository))
    if not entries:
        _log.warning("no model in %s; expected %s/NAME/VERSION/model.onnx", repository, repository)
    return Catalog(entries, default_model)


def _load(published: PublishedModel, config: EngineConfig) -> CatalogEntry:
    try:
        content, sha256 = published.read()
        engine = OnnxEngine(content, config)
    except DeviceError:
        raise
    except LocalizerError as error:
        _log.error("model %s/%d is not served: %s", published.name, published.version, error)
        return CatalogEntry(published, error=str(error))
    _log.info("model %s/%d is served on %s", published.name, published.version, engine.device)
    return CatalogEntry(published, engine, sha256)
