"""What NVIDIA's management library tells of the GPUs, for Prometheus; nothing without any."""

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
    """One figure of a GPU."""

    name: str
    """Of the metric."""
    meaning: str
    """In words."""
    read: Callable[[Any, Any], float]
    """Takes the library and its handle of a GPU."""


_GAUGES = (
    _Gauge(
        "ecm_gpu_utilization_ratio",
        "Share of the time in which the GPU computed.",
        lambda nvml, gpu: nvml.nvmlDeviceGetUtilizationRates(gpu).gpu / 100,
    ),
    _Gauge(
        "ecm_gpu_memory_used_bytes",
        "Memory of the GPU that is in use, by all processes.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).used,
    ),
    _Gauge(
        "ecm_gpu_memory_total_bytes",
        "Memory of the GPU.",
        lambda nvml, gpu: nvml.nvmlDeviceGetMemoryInfo(gpu).total,
    ),
    _Gauge(
        "ecm_gpu_temperature_celsius",
        "Temperature of the GPU.",
        lambda nvml, gpu: nvml.nvmlDeviceGetTemperature(gpu, nvml.NVML_TEMPERATURE_GPU),
    ),
)


class GpuCollector(Collector):
    """Asks for the GPUs of this machine, while some network runs on CUDA."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._nvml: Any = None
        self._complained = False

    def collect(self) -> Iterator[Metric]:
        """Yields what can be told; the library failing is no reason to tell nothing else."""
        if not any(e.engine and e.engine.device == "cuda" for e in self._catalog.entries):
            return
        try:
            gpus = self._gpus()
        except Exception as error:  # absent, of another driver, or a driver that is ill
            self._complain(error)
            return
        for gauge in _GAUGES:
            yield self._measured(gauge, gpus)

    def _gpus(self) -> list[Any]:
        """Returns the library's handle of each GPU."""
        if self._nvml is None:
            import pynvml  # in the extra `gpu` alone

            pynvml.nvmlInit()
            self._nvml = pynvml
        nvml = self._nvml
        return [nvml.nvmlDeviceGetHandleByIndex(at) for at in range(nvml.nvmlDeviceGetCount())]

    def _measured(self, gauge: _Gauge, gpus: list[Any]) -> Metric:
        family = GaugeMetricFamily(gauge.name, gauge.meaning, labels=["device"])
        for index, gpu in enumerate(gpus):
            try:
                family.add_metric([str(index)], gauge.read(self._nvml, gpu))
            except Exception as error:  # some GPUs do not tell all, and one may be lost
                self._complain(error)
        return family

    def _complain(self, error: Exception) -> None:
        """Says once what went wrong; /metrics is asked again and again."""
        if not self._complained:
            _log.warning("not all of the GPUs can be told: %r", error)
        self._complained = True
