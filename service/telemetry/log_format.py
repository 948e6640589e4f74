"""Log lines on standard error: JSON for programs, text for people."""

import json
import logging
import threading
from datetime import UTC, datetime
from typing import Literal

_log = logging.getLogger(__name__)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Returns the record as one line."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)


class TextLines(logging.Formatter):
    """Formats a record as text, followed by its fields as NAME=VALUE."""

    def __init__(self) -> None:
        super().__init__("%(levelname)s %(name)s %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """Returns the record as one line; a traceback follows in lines of its own."""
        local = datetime.fromtimestamp(record.created)
        fields = (f" {name}={json.dumps(value)}" for name, value in _fields(record).items())
        message = super().formatMessage(record)
        return f"{local.isoformat(' ', 'milliseconds')} {message}{''.join(fields)}"


def log_to_stderr(level: str, form: Literal["json", "text"]) -> None:
    """Writes the log to standard error, including warnings and exceptions in threads."""
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    logging.basicConfig(level=level.upper(), handlers=[handler])
    # No line contains these values, and finding them takes time for each record.
    logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False
    logging.captureWarnings(capture=True)
    threading.excepthook = _log_thread_exception


def _log_thread_exception(raised: threading.ExceptHookArgs) -> None:
    thread = raised.thread.name if raised.thread else "unknown"
    error = raised.exc_value
    _log.error("thread %s ended with %s", thread, raised.exc_type.__name__, exc_info=error)


def _fields(record: logging.LogRecord) -> dict[str, object]:
    fields: dict[str, object] = getattr(record, "fields", {})
    return fields
