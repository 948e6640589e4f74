"""Keeps the catalog in step with the repository while the service runs.

- A new version is loaded and warmed up before it receives requests.
- A version that fails to load never replaces one that works.
- A network that stops working is loaded again.
- A removed version is freed when the requests in flight that use it have ended.
"""

import logging
import threading
import weakref
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

from model.errors import DeviceError, EngineError
from model.repository import PublishedModel
from service.errors import ModelUnavailableError
from service.models.catalog import Catalog, CatalogEntry
from service.models.served_engine import ServedEngine, ServingConfig
from service.models.version_policy import OTHERS, VersionPolicy, served_versions

_log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, int]
Stamp: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Known:
    """Version of a model as it was when the repository was last read."""

    entry: CatalogEntry
    stamp: Stamp
    """Modification time (ns) and size (bytes) of the file; None if it did not exist."""
    ran: bool = False
    """Whether this very file ran before. Its present failure may then be temporary."""

    def due(self, stamp: Stamp, *, again: bool) -> bool:
        """Returns whether the version must be loaded again, given the present stamp of its file.

        Args:
            stamp: present stamp.
            again: whether a failed version is tried again even if its file did not change.
        """
        changed = self.stamp != stamp or self.entry.unloaded
        return changed or (not self.entry.ready and (self.ran or again))


class ModelKeeper:
    """Loads, reloads and unloads models. Thread-safe."""

    def __init__(
        self,
        catalog: Catalog,
        repository: Path,
        config: ServingConfig,
        versions: Mapping[str, VersionPolicy],
    ) -> None:
        """Loads the models of a repository.

        Args:
            catalog: receives the models.
            repository: folder with NAME/VERSION/model.onnx.
            config: devices, threads and batches of the networks.
            versions: version policies by model name, for `served_versions`.

        Raises:
            DeviceError: CUDA is required but not available.
        """
        self.catalog = catalog
        self._repository = repository
        self._config = config
        self._versions = versions
        self._known: dict[Key, _Known] = {}
        self._unloaded: set[str] = set()
        self._lock = threading.Lock()
        self._started = False
        self.refresh()
        self._started = True
        self._warn_of_missing_models()

    def refresh(self, *, again: str | None = None) -> None:
        """Reads the repository once and applies its changes.

        Args:
            again: name of a model whose failed versions are tried again, changed or not.
        """
        with self._lock:
            try:
                known = {_key(p): self._examine(p, again) for p in self._served_versions()}
            except OSError as error:
                _log.warning(
                    "the repository cannot be read, all models stay as they are: %s", error
                )
                return
            for key in self._known.keys() - known.keys():
                _log.info("model %s/%d was removed", *key)
            self._change_to(known)

    def load(self, name: str) -> None:
        """Serves an unloaded model again, or tries its failed versions again.

        Raises:
            UnknownModelError: there is no model of this name.
            ModelUnavailableError: no version of it can be served.
        """
        self._unloaded.discard(name)
        self.refresh(again=name)
        versions = self.catalog.versions(name)
        if not any(entry.ready for entry in versions):
            raise ModelUnavailableError(f"model {name!r} is not served: {versions[-1].reason}")

    def unload(self, name: str) -> None:
        """Stops serving a model until `load`.

        Raises:
            UnknownModelError: there is no model of this name.
        """
        self.catalog.versions(name)
        self._unloaded.add(name)
        self.refresh()

    def _warn_of_missing_models(self) -> None:
        folder = self._repository
        if not self.catalog.entries:
            _log.warning("no model in %s; expected %s/NAME/VERSION/model.onnx", folder, folder)
        present = {entry.published.name for entry in self.catalog.entries}
        for name in self._versions.keys() - present - {OTHERS}:
            if self._versions[name]:  # a model with an empty list of versions may be absent
                _log.warning("setting versions: no model %r in %s", name, folder)

    def _served_versions(self) -> Iterator[PublishedModel]:
        """Yields the versions that belong in the catalog."""
        if not self._repository.is_dir() and self._known:
            raise NotADirectoryError(f"{self._repository} is not a folder any more")
        yield from served_versions(self._repository, self._versions)

    def _examine(self, published: PublishedModel, again: str | None) -> _Known:
        """Returns the new state of a version: the old state if nothing changed."""
        old = self._known.get(_key(published))
        if published.name in self._unloaded:
            entry = CatalogEntry(published, error="it was unloaded", unloaded=True)
            return _Known(entry, None)
        stamp = _stamp(published.path)
        if old and not old.due(stamp, again=again == published.name):
            return old
        new = self._load(published)
        if not new.ready and old and old.entry.ready:
            _log.error("model %s/%d is still served from its previous file", *_key(published))
            error = f"the new file cannot be served, the previous one still is: {new.error}"
            return _Known(replace(old.entry, error=error), stamp)
        ran_before = old is not None and old.ran and old.stamp == stamp
        return _Known(new, stamp, ran=new.ready or ran_before)

    def _load(self, published: PublishedModel) -> CatalogEntry:
        try:
            content, sha256 = published.read()
            engine = ServedEngine(published, content, self._config)
        except Exception as error:  # whatever a file causes must affect its own model only
            if isinstance(error, DeviceError) and not self._started:
                raise
            reason = error.__cause__ if isinstance(error, EngineError) else error
            _log.error("model %s/%d is not served: %s", *_key(published), reason)
            return CatalogEntry(published, error=_without_folder(str(error), published))
        times_s = engine.load_s, engine.warm_up_s
        _log.info("model %s/%d is served on %s; loading took %.3f s, warm-up %.3f s",
                  *_key(published), engine.device, *times_s)  # fmt: skip
        return CatalogEntry(published, engine, sha256)

    def _change_to(self, known: dict[Key, _Known]) -> None:
        """Updates the catalog; dropped networks count as draining until no request uses them."""
        dropped = weakref.WeakSet(_engines(self._known)) - weakref.WeakSet(_engines(known))
        self._known = known
        self.catalog.entries = tuple(version.entry for version in known.values())
        self.catalog.draining = self.catalog.draining | dropped
        for engine in dropped:
            key = _key(engine.published)
            _log.info("model %s/%d is draining: requests in flight still use it", *key)
            freed = weakref.finalize(engine, _log.info, "model %s/%d is freed", *key)
            freed.atexit = False


@contextmanager
def kept(keeper: ModelKeeper | None, every_s: float) -> Iterator[None]:
    """Refreshes a keeper every `every_s` seconds in a thread meanwhile; never if 0."""
    stopping = threading.Event()

    def poll() -> None:
        while keeper and not stopping.wait(every_s):
            try:
                keeper.refresh()
            except Exception:
                _log.exception("the repository could not be refreshed")

    if keeper and every_s:
        threading.Thread(target=poll, name="model keeper", daemon=True).start()
    try:
        yield
    finally:
        stopping.set()


def _key(published: PublishedModel) -> Key:
    return published.name, published.version


def _engines(known: Mapping[Key, _Known]) -> Iterator[ServedEngine]:
    return (version.entry.engine for version in known.values() if version.entry.engine)


def _stamp(path: Path) -> Stamp:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _without_folder(text: str, published: PublishedModel) -> str:
    """Returns a text with file names relative to the repository, because clients see it."""
    return text.replace(f"{published.path.parents[2]}/", "")
