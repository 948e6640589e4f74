"""The end of a process: its exit status, and a time limit on the shutdown."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from model.errors import LocalizerError
from service.errors import ServiceError

_log = logging.getLogger(__name__)

_INTERRUPTED = 130
"""Exit status, as in shells, of a program that Ctrl+C ended."""


def status_of(work: Callable[[], None]) -> int:
    """Runs `work`, logs the error that ended it, if any, and returns the exit status."""
    try:
        work()
    except (LocalizerError, ServiceError, OSError) as error:
        _log.error("%s", error)
        return 1
    except KeyboardInterrupt:  # Ctrl+C during the start, or a second time during the shutdown
        return _INTERRUPTED
    except Exception:  # logged here, because Python would print it outside the log
        _log.exception("the process ended with an unexpected error")
        return 1
    return 0


def leave(status: int) -> NoReturn:
    """Ends the process without joining threads, which may wait for an unreachable database."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def leave_after(limit_s: float) -> None:
    """Ends the process after a time limit, even if the shutdown is not complete."""

    def end() -> None:
        _log.error("the shutdown did not finish in time; the process ends now")
        leave(1)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
