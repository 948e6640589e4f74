"""How many processors this process may use; onnxruntime by itself takes all that there are."""

import math
import os
from contextlib import suppress
from pathlib import Path, PurePosixPath

_GROUPS = Path("/sys/fs/cgroup")
_OWN_GROUP = Path("/proc/self/cgroup")


def cores() -> int:
    """Returns how many: those it is bound to (`taskset`), within its quota (`docker --cpus`)."""
    bound = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else ()
    most = quota(_own_group(), _GROUPS)
    return math.ceil(min(len(bound) or os.cpu_count() or 1, most))


def quota(group: str, groups: Path) -> float:
    """Returns how many processors' time a control group (version 2) may take; inf for no limit.

    Args:
        group: its path, as /proc/self/cgroup tells it.
        groups: where the file system of the control groups is mounted.
    """
    place = PurePosixPath(group.lstrip("/"))
    return min(_limit(groups / one / "cpu.max") for one in (place, *place.parents))


def _own_group() -> str:
    with suppress(OSError):
        for line in _OWN_GROUP.read_text().splitlines():
            if line.startswith("0::"):
                return line.removeprefix("0::")
    return ""


def _limit(cpu_max: Path) -> float:
    try:
        quota_us, period_us = cpu_max.read_text().split()
        return int(quota_us) / int(period_us)
    except (OSError, ValueError, ZeroDivisionError):  # no such group, or "max"
        return math.inf
