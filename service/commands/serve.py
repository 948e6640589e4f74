"""`ecm serve`."""

from functools import partial
from typing import Any

from service.commands.flags import with_settings
from service.configuration import read_configuration
from service.process.ending import leave, status_of
from service.process.serving import serve as serve_until_stopped
from service.telemetry.log_format import log_to_stderr


@with_settings
def serve(**flags: Any) -> int:
    """Serves until SIGTERM or SIGINT and returns the exit status.

    Args:
        **flags: settings that go before those of the environment and the file.
    """
    configuration = read_configuration(flags)
    settings = configuration.settings
    log_to_stderr(settings.log_level, settings.log_format)
    configuration.log_warnings()
    return leave(status_of(partial(serve_until_stopped, settings)))
