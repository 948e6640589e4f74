"""Keeps the catalog in step with the repository while the service runs.

- A new version is loaded and warmed up before it receives requests.
- A version that fails to load never replaces one that works.
- A network that stops working is loaded again.
- A removed version is freed when the requests in flight that use it have ended.
- A version that open jobs need stays loaded for them, even if the policy leaves it out.
- A fault of one model affects that model only, and is looked at again after growing pauses.
"""

import logging
import threading
import weakref
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import TypeAlias

from model.errors import DeviceError, EngineError
from model.repository import PublishedModel, hash_file
from service.errors import ModelUnavailableError
from service.models.catalog import Catalog, CatalogEntry
from service.models.served_engine import ServedEngine, ServingConfig
from service.models.version_policy import OTHERS, VersionPolicy, published, served_versions

_log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, int]
FileStamp: TypeAlias = tuple[int, int, int] | None
"""Modification time (ns), size (bytes) and inode of a file; None if it cannot be looked at."""
Stamp: TypeAlias = tuple[FileStamp, ...] | None
"""Stamps of a model file, of its form in int8, and of the files with their hashes."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 300.0
"""Pauses before a failed version is tried again, although its files did not change."""


@dataclass(frozen=True, slots=True)
class _Known:
    """Version of a model as it was when the repository was last read."""

    entry: CatalogEntry
    stamp: Stamp
    """Stamp of the files; None if the model is unloaded."""
    ran: bool = False
    """Whether this very file ran before. Its present failure may then be temporary."""
    pause_s: float = _FIRST_PAUSE_S
    """Pause before a version with a fault is tried again."""
    again_s: float = 0.0
    """Monotonic time from which a version with a fault is tried again."""

    def due(self, stamp: Stamp, *, again: bool) -> bool:
        """Returns whether the version must be loaded again, given the present stamp of its files.

        Args:
            stamp: present stamp.
            again: whether a version with a fault is tried again even if its files did not change.
        """
        if self.stamp != stamp or self.entry.unloaded:
            return True
        if not self.entry.ready and self.ran:
            return True
        return self.entry.reason is not None and (again or monotonic() >= self.again_s)


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
        self._unreadable: dict[str, str] = {}
        """Reason for each model whose folder could not be read last time."""
        self._needed: Callable[[], Collection[Key]] = frozenset
        self._last_needed: Collection[Key] = ()
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
                served = self._served()
            except OSError as error:
                _log.warning(
                    "the repository cannot be read, all models stay as they are: %s", error
                )
                return
            kept = self._kept_for_jobs(served)
            wanted = sorted((served | kept).items())
            known = {key: self._examine(published, again) for key, published in wanted}
            for key in self._known.keys() - known.keys():
                _log.info("model %s/%d was removed", *key)
            self._change_to(known, kept)

    def keep_also(self, needed: Callable[[], Collection[Key]]) -> None:
        """Keeps further versions loaded, but for `Catalog.find_pinned` only.

        Args:
            needed: returns name and version of the models that open jobs need. If it fails, its
                last result counts.
        """
        self._needed = needed
        self.refresh()

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

    def _served(self) -> dict[Key, PublishedModel]:
        """Returns the versions that belong in the catalog.

        A model whose folder cannot be read keeps the versions that it has.
        """
        if not self._repository.is_dir() and self._known:
            raise NotADirectoryError(f"{self._repository} is not a folder any more")
        served = served_versions(self._repository, self._versions)
        reasons = {name: str(error) for name, error in served.unreadable.items()}
        for name, reason in reasons.items():
            if self._unreadable.get(name) != reason:
                _log.error("model %s stays as it is, its folder cannot be read: %s", name, reason)
        self._unreadable = reasons
        before = [entry.published for entry in self.catalog.entries]
        stay = [published for published in before if published.name in reasons]
        return {_key(published): published for published in (*served.models, *stay)}

    def _kept_for_jobs(self, served: Collection[Key]) -> dict[Key, PublishedModel]:
        """Returns the other versions that open jobs need, if they are loaded or have a file."""
        try:
            self._last_needed = self._needed()
        except Exception as error:  # the job database may be unreachable for a while
            _log.warning("open jobs cannot be listed, their models stay: %s", error)
        others = {key for key in self._last_needed if key[0] not in self._unloaded} - set(served)
        needed = {key: published(self._repository, *key) for key in others}
        return {key: p for key, p in needed.items() if key in self._known or p.path.exists()}

    def _examine(self, published: PublishedModel, again: str | None) -> _Known:
        """Returns the new state of a version: the old state if nothing changed."""
        old = self._known.get(_key(published))
        if published.name in self._unloaded:
            entry = CatalogEntry(published, error="it was unloaded", unloaded=True)
            return _Known(entry, None)
        stamp = _stamp(published)
        if old and not old.due(stamp, again=again == published.name):
            return old
        int8_changed = old is not None and old.stamp is not None and old.stamp[2:] != stamp[2:]
        new = self._load(published, None if old is None or int8_changed else old.entry)
        pause_s = _FIRST_PAUSE_S
        if old and old.stamp == stamp:
            pause_s = min(2 * old.pause_s, _LONGEST_PAUSE_S)
        if not new.ready and old and old.entry.ready:
            error = f"the new file cannot be served, the previous one still is: {new.error}"
            if error != old.entry.error:
                _log.error("model %s/%d is still served from its previous file", *_key(published))
            entry = replace(old.entry, error=error)
            return _Known(entry, stamp, False, pause_s, monotonic() + pause_s)
        ran_before = old is not None and old.ran and old.stamp == stamp
        return _Known(new, stamp, new.ready or ran_before, pause_s, monotonic() + pause_s)

    def _load(self, published: PublishedModel, old: CatalogEntry | None) -> CatalogEntry:
        """Returns a version with its network, or with the reason why it cannot be served."""
        try:
            content, sha256 = published.read()
            if old and old.ready and old.sha256 == sha256:
                return replace(old, error=None)
            engine = ServedEngine(published, content, self._config)
        except Exception as error:  # whatever a file causes must affect its own model only
            if isinstance(error, DeviceError) and not self._started:
                raise
            reason = _without_folder(str(error), published)
            if old is None or old.error is None or reason not in old.error:
                cause = error.__cause__ if isinstance(error, EngineError) else error
                _log.error("model %s/%d is not served: %s", *_key(published), cause)
            return CatalogEntry(published, error=reason)
        times_s = engine.load_s, engine.warm_up_s
        _log.info("model %s/%d is served on %s in %s, because %s; loading took %.3f s, "
                  "warm-up %.3f s", *_key(published), engine.device, engine.spec.precision,
                  engine.precision_reason, *times_s)  # fmt: skip
        return CatalogEntry(published, engine, sha256)

    def _change_to(self, known: dict[Key, _Known], kept: Collection[Key]) -> None:
        """Updates the catalog; dropped networks count as draining until no request uses them."""
        dropped = weakref.WeakSet(_engines(self._known)) - weakref.WeakSet(_engines(known))
        self._known = known
        self.catalog.kept = tuple(known[key].entry for key in sorted(kept))
        self.catalog.entries = tuple(one.entry for key, one in known.items() if key not in kept)
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


def _stamp(published: PublishedModel) -> tuple[FileStamp, ...]:
    paths = (published.path, published.int8.path)
    return tuple(_file_stamp(file) for path in paths for file in (path, hash_file(path)))


def _file_stamp(path: Path) -> FileStamp:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size, about.st_ino


def _without_folder(text: str, published: PublishedModel) -> str:
    """Returns a text with file names relative to the repository, because clients see it."""
    return text.replace(f"{published.path.parents[2]}/", "")
