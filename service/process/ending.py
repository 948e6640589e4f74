"""How a process of the service ends, whatever it was doing."""

import logging
import os
import sys
import threading
from collections.abc import Callable
from typing import NoReturn

from model.errors import LocalizerError
from service.errors import ServiceError

_log = logging.getLogger(__name__)

_BY_CTRL_C = 130
"""What shells tell of a program that Ctrl+C ended."""


def status_of(work: Callable[[], None]) -> int:
    """Returns the exit status after some work; an error that we raise on purpose is one line."""
    try:
        work()
    except (LocalizerError, ServiceError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:  # while it was starting, or again while it was ending
        return _BY_CTRL_C
    return 0


def leave(status: int) -> NoReturn:
    """Ends the process, though threads may still wait for a database that is away."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def leave_after(limit_s: float) -> None:
    """Ends the process when its time is up, whatever still holds it."""

    def end() -> None:
        _log.error("not all could be laid down in time; the process ends without")
        leave(1)

    timer = threading.Timer(limit_s, end)
    timer.daemon = True
    timer.start()
