"""The number of CPU cores for this process; onnxruntime alone would use all of the machine."""

import math
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

_CGROUP_MOUNT = Path("/sys/fs/cgroup")
_OWN_CGROUP = Path("/proc/self/cgroup")


def cores() -> int:
    """Returns the cores that the affinity (`taskset`) and the quota (`docker --cpus`) allow."""
    bound = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    most = quota(_own_cgroup(), _CGROUP_MOUNT)
    return math.ceil(min(len(bound) or os.cpu_count() or 1, most))


def quota(cgroup: str, mount: Path) -> float:
    """Returns the CPU quota of a control group (version 2) in cores; inf for no limit.

    A group has at most the quota of the groups above it, so the smallest quota counts.

    Args:
        cgroup: path of the group, as in /proc/self/cgroup.
        mount: where the file system of the control groups is mounted.
    """
    group = PurePosixPath(cgroup.lstrip("/"))
    return min(_limit(mount / one / "cpu.max") for one in (group, *group.parents))


def _own_cgroup() -> str:
    with suppress(OSError):
        for line in _OWN_CGROUP.read_text().splitlines():
            if line.startswith("0::"):
                return line.removeprefix("0::")
    return ""


def _limit(cpu_max: Path) -> float:
    try:
        quota_us, period_us = cpu_max.read_text().split()
        return int(quota_us) / int(period_us)
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or "max"
        return math.inf
