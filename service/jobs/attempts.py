"""Attempts of the steps of jobs, until the worker stops."""

import logging
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from model.errors import WorkerError
from service.references.errors import DownloadError

_log = logging.getLogger(__name__)

_PAUSES_S: Final = (1.0, 4.0)
"""Pauses before the second and the third attempt of a step."""

Result = TypeVar("Result")


class Stopped(BaseException):
    """The worker stops. Not an `Exception`, so that DBOS keeps the job as unfinished."""


class Attempts:
    """Repeats work that fails for a passing reason. All jobs of a worker share it."""

    def __init__(self) -> None:
        """Allows attempts until `stop`."""
        self._stopping = threading.Event()

    def stop(self) -> None:
        """Ends pauses; from now on, `check_stopping` raises `Stopped`."""
        self._stopping.set()

    def check_stopping(self) -> None:
        """Checks that the worker goes on.

        Raises:
            Stopped: the worker stops.
        """
        if self._stopping.is_set():
            raise Stopped

    def of(self, work: Callable[..., Result], *arguments: object) -> Result:
        """Returns the result of the first successful attempt; passing faults are tried again."""
        for pause_s in _PAUSES_S:
            try:
                return work(*arguments)
            except (WorkerError, DownloadError) as error:
                if isinstance(error, DownloadError) and not error.transient:
                    raise
                _log.warning("a step of a job is tried again: %s", error)
            self._stopping.wait(pause_s)
            self.check_stopping()
        return work(*arguments)
