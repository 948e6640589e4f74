"""`ecm work`."""

import signal
import threading
from functools import partial
from typing import Any

from prometheus_client import start_http_server

from service.app import open_models
from service.commands.flags import with_settings
from service.configuration import read_configuration
from service.jobs.intake import work as take_jobs
from service.models.catalog import Catalog
from service.models.keeper import kept
from service.process.ending import leave, status_of
from service.process.heaps import share_heaps, tended_heaps
from service.process.listening import metrics_host
from service.settings import Settings
from service.telemetry.log_format import log_to_stderr
from service.telemetry.metrics import Metrics


@with_settings
def work(**flags: Any) -> int:
    """Works on jobs until SIGTERM or SIGINT and returns the exit status.

    Args:
        **flags: settings that go before those of the environment and the file.
    """
    configuration = read_configuration(flags)
    settings = configuration.settings
    log_to_stderr(settings.log_level, settings.log_format)
    configuration.log_warnings()
    return leave(status_of(partial(_work_until_stopped, settings)))


def _work_until_stopped(settings: Settings) -> None:
    share_heaps()
    stop = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stop.set())
    catalog = Catalog(default_model=settings.default_model)
    metrics = Metrics(catalog)
    models = open_models(settings, catalog, metrics)
    if settings.metrics_port is not None:
        start_http_server(settings.metrics_port, metrics_host(settings.host), metrics.registry)
    with kept(models, settings.reload_s), take_jobs(settings, models, metrics), tended_heaps():
        stop.wait()
