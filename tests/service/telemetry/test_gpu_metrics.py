"""GPU metrics, with a fake of NVIDIA's library (NVML)."""

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import httpx
import pytest
from prometheus_client import CollectorRegistry, generate_latest

from model.inference.engine import EngineConfig
from service.models.catalog import Catalog
from service.models.keeper import ModelKeeper
from service.models.served_engine import ServingConfig
from service.settings import Settings
from service.telemetry.gpu_metrics import GpuCollector


class NvmlError(Exception):
    """The library's exception."""


class FakeNvml(ModuleType):
    """Fake library with two GPUs; functions in `failing` fail for one GPU or for all."""

    NVML_TEMPERATURE_GPU = 0

    def __init__(self) -> None:
        super().__init__("pynvml")
        self.failing: dict[str, int | None] = {}
        self.opened = 0

    def _ask(self, name: str, gpu: int | None = None) -> None:
        if name in self.failing and self.failing[name] in (None, gpu):
            raise NvmlError("GPU is lost")

    def nvmlInit(self) -> None:
        """Opens the library."""
        self._ask("nvmlInit")
        self.opened += 1

    def nvmlDeviceGetCount(self) -> int:
        """Returns the number of GPUs."""
        self._ask("nvmlDeviceGetCount")
        return 2

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:
        """Returns the handle of a GPU."""
        return index

    def nvmlDeviceGetUtilizationRates(self, gpu: int) -> Any:
        """Returns percentages."""
        self._ask("nvmlDeviceGetUtilizationRates", gpu)
        return SimpleNamespace(gpu=(75, 10)[gpu], memory=3)

    def nvmlDeviceGetMemoryInfo(self, gpu: int) -> Any:
        """Returns memory in bytes."""
        self._ask("nvmlDeviceGetMemoryInfo", gpu)
        return SimpleNamespace(total=80 * 2**30, used=(5 + gpu) * 2**30, free=1)

    def nvmlDeviceGetTemperature(self, gpu: int, sensor: int) -> int:
        """Returns degrees Celsius."""
        assert sensor == self.NVML_TEMPERATURE_GPU
        self._ask("nvmlDeviceGetTemperature", gpu)
        return 40 + gpu


@pytest.fixture
def nvml(monkeypatch: pytest.MonkeyPatch) -> FakeNvml:
    """Replaces the library."""
    fake = FakeNvml()
    monkeypatch.setitem(sys.modules, "pynvml", fake)
    return fake


@pytest.fixture
def catalog(repository: Path, monkeypatch: pytest.MonkeyPatch) -> Catalog:
    """A catalog with one model that runs on CUDA."""
    monkeypatch.setattr("model.inference.engine._device", lambda _: "cuda")
    return ModelKeeper(Catalog(), repository, ServingConfig(), {}).catalog


def told(collector: GpuCollector) -> dict[str, float]:
    """Every sample, by NAME/DEVICE without the common prefix."""
    return {
        f"{sample.name.removeprefix('ecm_gpu_')}/{sample.labels['device']}": sample.value
        for family in collector.collect()
        for sample in family.samples
    }


def test_each_gpu_has_metrics(catalog: Catalog, nvml: FakeNvml) -> None:
    """Values are in base units, and the library is initialized once."""
    collector = GpuCollector(catalog)
    expected = {
        "utilization_ratio/0": 0.75,
        "utilization_ratio/1": 0.1,
        "memory_used_bytes/0": 5 * 2**30,
        "memory_used_bytes/1": 6 * 2**30,
        "memory_total_bytes/0": 80 * 2**30,
        "memory_total_bytes/1": 80 * 2**30,
        "temperature_celsius/0": 40,
        "temperature_celsius/1": 41,
    }
    assert expected == told(collector)
    assert expected == told(collector)
    assert nvml.opened == 1


def test_failing_values_are_left_out_and_logged_once(
    catalog: Catalog, nvml: FakeNvml, caplog: pytest.LogCaptureFixture
) -> None:
    """One value is missing for all GPUs, and all values for one GPU."""
    nvml.failing = {"nvmlDeviceGetTemperature": None, "nvmlDeviceGetMemoryInfo": 1}
    collector = GpuCollector(catalog)
    for _ in range(2):
        assert told(collector).keys() == {
            "utilization_ratio/0", "utilization_ratio/1", "memory_used_bytes/0",
            "memory_total_bytes/0",
        }  # fmt: skip
    assert [record.getMessage() for record in caplog.records] == [
        "some GPU metrics cannot be read: NvmlError('GPU is lost')"
    ]


@pytest.mark.parametrize("failing", ["nvmlInit", "nvmlDeviceGetCount"])
def test_a_failing_library_affects_no_other_metric(
    serving,
    repository: Path,
    nvml: FakeNvml,
    failing: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """/metrics still works, and includes the GPUs once the library works."""
    monkeypatch.setattr("model.inference.engine._device", lambda _: "cuda")
    nvml.failing = {failing: None}
    with serving(Settings(repository=repository)) as url:
        text = httpx.get(f"{url}/metrics").raise_for_status().text
        assert "ecm_model_info" in text
        assert "ecm_gpu" not in text
        nvml.failing = {}
        text = httpx.get(f"{url}/metrics").text
        assert 'ecm_gpu_utilization_ratio{device="0"} 0.75' in text


def test_without_the_library_there_are_no_gpu_metrics(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The reason is logged once."""
    monkeypatch.setitem(sys.modules, "pynvml", None)
    collector = GpuCollector(catalog)
    assert told(collector) == told(collector) == {}
    assert len(caplog.records) == 1


def test_the_library_is_unused_without_a_network_on_cuda(repository: Path, nvml: FakeNvml) -> None:
    """GPUs that the service does not use have no metrics."""
    keeper = ModelKeeper(Catalog(), repository, ServingConfig(EngineConfig(device="cpu")), {})
    registry = CollectorRegistry()
    registry.register(GpuCollector(keeper.catalog))
    assert generate_latest(registry) == b""
    assert nvml.opened == 0
