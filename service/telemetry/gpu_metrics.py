"""GPU metrics for Prometheus, from NVIDIA's management library (NVML)."""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from service.models.catalog import Catalog

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Gauge:
    """One metric of a GPU."""

    name: str
    """Name of the metric."""
    description: str
    """Help text of the metric."""
    read: Callable[[Any, Any], float]
    """Reads the value, given the NVML module and its handle of the GPU."""


_GAUGES = (
    _Gauge(
        "ecm_gpu_utilization_ratio",
        "Share of the time during which the GPU was computing.",
        lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    ),
    _Gauge(
        "ecm_gpu_memory_used_bytes",
        "GPU memory in use by all processes.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    ),
    _Gauge(
        "ecm_gpu_memory_total_bytes",
        "Total GPU memory.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total,
    ),
    _Gauge(
        "ecm_gpu_temperature_celsius",
        "Temperature of the GPU.",
        lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    ),
)


class GpuCollector(Collector):
    """Reports the GPUs of this machine while a network runs on CUDA."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._nvml: Any = None
        self._has_warned = False

    def collect(self) -> Iterator[Metric]:
        """Yields the metrics that can be read; a failure of NVML affects no other metric."""
        engines = (entry.engine for entry in self._catalog.entries)
        if not any(engine and engine.device == "cuda" for engine in engines):
            return
        try:
            gpus = self._gpus()
        except (
            Exception
        ) as error:  # NVML is absent, does not match the driver, or the driver is faulty
            self._warn_once(error)
            return
        for gauge in _GAUGES:
            yield self._measured(gauge, gpus)

    def _gpus(self) -> list[Any]:
        """Returns the NVML handle of each GPU."""
        if self._nvml is None:
            import pynvml  # installed with the extra `gpu` only

            pynvml.nvmlInit()
            self._nvml = pynvml
        nvml = self._nvml
        return [nvml.nvmlDeviceGetHandleByIndex(at) for at in range(nvml.nvmlDeviceGetCount())]

    def _measured(self, gauge: _Gauge, gpus: list[Any]) -> Metric:
        family = GaugeMetricFamily(gauge.name, gauge.description, labels=["device"])
        for index, gpu in enumerate(gpus):
            try:
                family.add_metric([str(index)], gauge.read(self._nvml, gpu))
            except Exception as error:  # some GPUs lack some values, and a GPU may be lost
                self._warn_once(error)
        return family

    def _warn_once(self, error: Exception) -> None:
        """Logs a failure once only, because /metrics is scraped every few seconds."""
        if not self._has_warned:
            _log.warning("some GPU metrics cannot be read: %r", error)
        self._has_warned = True
