"""Keeps the catalog true to the repository while the service runs.

A version that appears is loaded and run once before it takes requests; one that fails takes the
place of none that works; one that is gone goes when the requests that found it are done.
"""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TypeAlias

import numpy as np

from model.engine import EngineConfig, OnnxEngine
from model.errors import DeviceError
from model.repository import PublishedModel, list_models
from service.catalog import Catalog, CatalogEntry
from service.errors import ModelUnavailableError

_log = logging.getLogger(__name__)

Key: TypeAlias = tuple[str, int]
Stamp: TypeAlias = tuple[int, int] | None


@dataclass(frozen=True, slots=True)
class _Held:
    """What is known of a version that was looked at."""

    entry: CatalogEntry
    stamp: Stamp
    """When its file was changed and how long it was; None where it was not there."""


class ModelKeeper:
    """Loads, reloads and unloads; several threads may ask at once."""

    def __init__(
        self, catalog: Catalog, repository: Path, config: EngineConfig, newest: int
    ) -> None:
        """Loads what is there.

        Args:
            catalog: where requests find the models.
            repository: folder with NAME/VERSION/model.onnx.
            config: how networks run.
            newest: how many versions of each model are served; 0 for all.

        Raises:
            DeviceError: CUDA is required and not available.
        """
        self.catalog = catalog
        self._repository = repository
        self._config = config
        self._newest = newest
        self._held: dict[Key, _Held] = {}
        self._unloaded: set[str] = set()
        self._lock = threading.Lock()
        self.refresh()
        if not catalog.entries:
            _log.warning(
                "no model in %s; expected %s/NAME/VERSION/model.onnx", repository, repository
            )

    def refresh(self, *, again: str | None = None) -> None:
        """Looks at the repository once.

        Args:
            again: name of a model whose versions that failed are tried again, changed or not.

        Raises:
            DeviceError: CUDA is required and not available.
        """
        with self._lock:
            try:
                held = {_key(p): self._look_at(p, again) for p in self._wanted()}
            except OSError as error:
                _log.warning("the repository cannot be read, all stays as it is: %s", error)
                return
            for key in self._held.keys() - held.keys():
                _log.info("model %s/%d is gone", *key)
            self._held = held
            self.catalog.entries = tuple(one.entry for one in held.values())

    def load(self, name: str) -> None:
        """Serves a model again that was unloaded, or has versions that failed.

        Raises:
            UnknownModelError: there is none of this name.
            ModelUnavailableError: no version of it can be served.
        """
        self._unloaded.discard(name)
        self.refresh(again=name)
        versions = self.catalog.versions(name)
        if not any(entry.engine for entry in versions):
            raise ModelUnavailableError(f"model {name!r} is not served: {versions[-1].error}")

    def unload(self, name: str) -> None:
        """Serves a model no more, until it is asked to be loaded.

        Raises:
            UnknownModelError: there is none of this name.
        """
        self.catalog.versions(name)
        self._unloaded.add(name)
        self.refresh()

    def _wanted(self) -> Iterator[PublishedModel]:
        """Yields the versions that are to be served or told of."""
        if not self._repository.is_dir() and self._held:
            raise NotADirectoryError(f"{self._repository} is no folder any more")
        for _, versions in groupby(list_models(self._repository), lambda model: model.name):
            yield from list(versions)[-self._newest :]

    def _look_at(self, published: PublishedModel, again: str | None) -> _Held:
        """Returns what is to be held of a version: the old, if nothing changed."""
        old = self._held.get(_key(published))
        if published.name in self._unloaded:
            entry = CatalogEntry(published, error="it was unloaded", unloaded=True)
            return _Held(entry, None)
        stamp = _stamp(published.path)
        retried = old and old.entry.engine is None and again == published.name
        if old and old.stamp == stamp and not retried and not old.entry.unloaded:
            return old
        new = self._load(published)
        if new.engine is None and old and old.entry.engine:
            _log.error("model %s/%d stays what it was", *_key(published))
            told = f"it was changed to what cannot be served, and stays what it was: {new.error}"
            return _Held(replace(old.entry, error=told), stamp)
        return _Held(new, stamp)

    def _load(self, published: PublishedModel) -> CatalogEntry:
        try:
            content, sha256 = published.read()
            engine = OnnxEngine(content, self._config)
            engine.cas(np.zeros((engine.spec.snippets, engine.spec.feature_dim), np.float32))
        except DeviceError:
            raise
        except Exception as error:  # whatever a file provokes costs its model alone
            _log.error("model %s/%d is not served: %s", *_key(published), error)
            return CatalogEntry(published, error=_without_place(str(error), published))
        _log.info("model %s/%d is served on %s", *_key(published), engine.device)
        return CatalogEntry(published, engine, sha256)


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


def _stamp(path: Path) -> Stamp:
    try:
        about = path.stat()
    except OSError:
        return None
    return about.st_mtime_ns, about.st_size


def _without_place(text: str, published: PublishedModel) -> str:
    """Names files as the repository does: clients are not told where that is."""
    return text.replace(f"{published.path.parents[2]}/", "")
