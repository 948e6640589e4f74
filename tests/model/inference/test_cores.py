"""The number of cores that are used."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest

from model.inference.cores import cores, quota


def _limit(groups: Path, group: str, text: str) -> None:
    (groups / group).mkdir(parents=True, exist_ok=True)
    (groups / group / "cpu.max").write_text(text)


def test_quota_is_the_smallest_of_a_group_and_its_parents(tmp_path: Path) -> None:
    """Kubernetes limits a container, and may limit the pod around it."""
    _limit(tmp_path, "pod", "250000 100000\n")
    _limit(tmp_path, "pod/one", "max 100000\n")
    _limit(tmp_path, "pod/two", "50000 100000\n")
    assert quota("/pod/one", tmp_path) == 2.5
    assert quota("/pod/two", tmp_path) == 0.5
    assert quota("/elsewhere", tmp_path) == math.inf


@pytest.mark.parametrize("text", ["", "max", "1 0", "a b", "1 2 3"])
def test_unreadable_quota_is_no_limit(tmp_path: Path, text: str) -> None:
    """The service starts whatever the file contains."""
    _limit(tmp_path, "", text)
    assert quota("/", tmp_path) == math.inf


@pytest.mark.parametrize(
    ("limit", "expected"), [("max 100000", 8), ("250000 100000", 3), ("50000 100000", 1)]
)
def test_cores_are_those_of_the_affinity_and_the_quota(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, expected: int
) -> None:
    """A quota of two and a half cores keeps three busy."""
    _limit(tmp_path, "pod/one", limit)
    own = tmp_path / "own"
    own.write_text("1:name=systemd:/elsewhere\n0::/pod/one\n")
    monkeypatch.setattr("model.inference.cores._CGROUP_MOUNT", tmp_path)
    monkeypatch.setattr("model.inference.cores._OWN_CGROUP", own)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)
    assert cores() == expected
    own.write_text("1:name=systemd:/pod/one\n")
    assert cores() == 8
    own.unlink()
    assert cores() == 8


@pytest.mark.parametrize(("machine", "expected"), [(6, 6), (None, 1)])
def test_cores_of_a_system_without_affinity_are_those_of_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, machine: int | None, expected: int
) -> None:
    """MacOS and Windows; the number may be unknown."""
    monkeypatch.setattr("model.inference.cores._CGROUP_MOUNT", tmp_path)
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: machine)
    assert cores() == expected


@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one core only")
def test_bound_process_computes_on_its_cores_only() -> None:
    """The threads of the network respect the affinity of the process."""
    program = """
import os
os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
import numpy as np, onnx
from onnx import helper as h
from model.inference.cores import cores
from model.inference.engine import EngineConfig, open_session
x, y = (h.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [4]) for name in "xy")
graph = h.make_graph([h.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
network = h.make_model(graph, opset_imports=[h.make_opsetid("", 17)], ir_version=8)
session = open_session(network.SerializeToString(), EngineConfig("cpu", False, 0, 1))
threads = os.listdir("/proc/self/task")
print(cores(), set().union(*(os.sched_getaffinity(int(thread)) for thread in threads)))
"""
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    ).stdout
    assert told.split(maxsplit=1) == ["1", f"{{{min(os.sched_getaffinity(0))}}}\n"]
