"""Keeps the catalog true to the repository while the service runs.

A version that appears is loaded and run before it takes requests; one that fails takes the place of
none that works; one whose network cannot be run any more is loaded anew; one that is gone is freed
when the requests that found it are done.
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
from service.version_policy import OTHERS, VersionPolicy, served_versions

_log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, int]
Stamp: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of a version that was looked at."""

    entry: CatalogEntry
    stamp: Stamp
    """When its file was changed and how long it was; None where it was not there."""
    ran: bool = False
    """Whether the file, as it is, could be run once: then what keeps it from that may pass."""

    def due(self, stamp: Stamp, *, again: bool) -> bool:
        """Returns whether it is to be loaded anew, its file being as `stamp` says."""
        changed = self.stamp != stamp or self.entry.unloaded
        return changed or (not self.entry.ready and (self.ran or again))


class ModelKeeper:
    """Loads, reloads and unloads; several threads may ask at once."""

    def __init__(
        self,
        catalog: Catalog,
        repository: Path,
        config: ServingConfig,
        versions: Mapping[str, VersionPolicy],
    ) -> None:
        """Loads what is there.

        Args:
            catalog: where requests find the models.
            repository: folder with NAME/VERSION/model.onnx.
            config: how networks run.
            versions: which of them are served, as `served_versions` takes it.

        Raises:
            DeviceError: CUDA is required and not available.
        """
        self.catalog = catalog
        self._repository = repository
        self._config = config
        self._versions = versions
        self._held: dict[Key, _Held] = {}
        self._unloaded: set[str] = set()
        self._lock = threading.Lock()
        self._started = False
        self.refresh()
        self._started = True
        self._tell_what_is_missing()

    def refresh(self, *, again: str | None = None) -> None:
        """Looks at the repository once.

        Args:
            again: name of a model whose versions that failed are tried again, changed or not.
        """
        with self._lock:
            try:
                held = {_key(p): self._look_at(p, again) for p in self._wanted()}
            except OSError as error:
                _log.warning("the repository cannot be read, all stays as it is: %s", error)
                return
            for key in self._held.keys() - held.keys():
                _log.info("model %s/%d is gone", *key)
            self._change_to(held)

    def load(self, name: str) -> None:
        """Serves a model again that was unloaded, or has versions that failed.

        Raises:
            UnknownModelError: there is none of this name.
            ModelUnavailableError: no version of it can be served.
        """
        self._unloaded.discard(name)
        self.refresh(again=name)
        versions = self.catalog.versions(name)
        if not any(entry.ready for entry in versions):
            raise ModelUnavailableError(f"model {name!r} is not served: {versions[-1].reason}")

    def unload(self, name: str) -> None:
        """Serves a model no more, until it is asked to be loaded.

        Raises:
            UnknownModelError: there is none of this name.
        """
        self.catalog.versions(name)
        self._unloaded.add(name)
        self.refresh()

    def _tell_what_is_missing(self) -> None:
        folder = self._repository
        if not self.catalog.entries:
            _log.warning("no model in %s; expected %s/NAME/VERSION/model.onnx", folder, folder)
        found = {entry.published.name for entry in self.catalog.entries}
        for name in self._versions.keys() - found - {OTHERS}:
            if self._versions[name]:  # what is to have no version served need not be there
                _log.warning("setting versions: no model %r in %s", name, folder)

    def _wanted(self) -> Iterator[PublishedModel]:
        """Yields the versions that are to be served or told of."""
        if not self._repository.is_dir() and self._held:
            raise NotADirectoryError(f"{self._repository} is no folder any more")
        yield from served_versions(self._repository, self._versions)

    def _look_at(self, published: PublishedModel, again: str | None) -> _Held:
        """Returns what is to be held of a version: the old, if nothing changed."""
        old = self._held.get(_key(published))
        if published.name in self._unloaded:
            entry = CatalogEntry(published, error="it was unloaded", unloaded=True)
            return _Held(entry, None)
        stamp = _stamp(published.path)
        if old and not old.due(stamp, again=again == published.name):
            return old
        new = self._load(published)
        if not new.ready and old and old.entry.ready:
            _log.error("model %s/%d stays what it was", *_key(published))
            told = f"it was changed to what cannot be served, and stays what it was: {new.error}"
            return _Held(replace(old.entry, error=told), stamp)
        ran_before = old is not None and old.ran and old.stamp == stamp
        return _Held(new, stamp, ran=new.ready or ran_before)

    def _load(self, published: PublishedModel) -> CatalogEntry:
        try:
            content, sha256 = published.read()
            engine = ServedEngine(published, content, self._config)
        except Exception as error:  # whatever a file provokes costs its model alone
            if isinstance(error, DeviceError) and not self._started:
                raise
            reason = error.__cause__ if isinstance(error, EngineError) else error
            _log.error("model %s/%d is not served: %s", *_key(published), reason)
            return CatalogEntry(published, error=_without_place(str(error), published))
        times_s = engine.load_s, engine.warm_up_s
        _log.info("model %s/%d is served on %s; loading took %.3f s, warming up %.3f s",
                  *_key(published), engine.device, *times_s)  # fmt: skip
        return CatalogEntry(published, engine, sha256)

    def _change_to(self, held: dict[Key, _Held]) -> None:
        """Has requests find other versions; tells of those that some still use, until they end."""
        leaving = weakref.WeakSet(_engines(self._held)) - weakref.WeakSet(_engines(held))
        self._held = held
        self.catalog.entries = tuple(one.entry for one in held.values())
        self.catalog.draining = self.catalog.draining | leaving
        for engine in leaving:
            key = _key(engine.published)
            _log.info("model %s/%d is draining: requests under way use it still", *key)
            freed = weakref.finalize(engine, _log.info, "model %s/%d is freed", *key)
            freed.atexit = False


@contextmanager
def kept(keeper: ModelKeeper | None, every_s: float) -> Iterator[None]:
    """Has the repository looked at again and again meanwhile, in a thread; never for 0."""
    stopping = threading.Event()

    def poll() -> None:
        while keeper and not stopping.wait(every_s):
            try:
                keeper.refresh()
            except Exception:
                _log.exception("the repository could not be looked at")

    if keeper and every_s:
        threading.Thread(target=poll, name="model keeper", daemon=True).start()
    try:
        yield
    finally:
        stopping.set()


def _key(published: PublishedModel) -> Key:
    return published.name, published.version


def _engines(held: Mapping[Key, _Held]) -> Iterator[ServedEngine]:
    return (one.entry.engine for one in held.values() if one.entry.engine)


def _stamp(path: Path) -> Stamp:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _without_place(text: str, published: PublishedModel) -> str:
    """Names files as the repository does: clients are not told where that is."""
    return text.replace(f"{published.path.parents[2]}/", "")
