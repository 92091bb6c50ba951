"""How many cores this process may use: its affinity, and the quota of its container."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GROUPS = Path("/sys/fs/cgroup")
OWN_GROUPS = Path("/proc/self/cgroup")


def usable_cores() -> int:
    """Cores that this process may use, at least 1.

    The machine may have more: `taskset` and clusters bind a process to some of them, and `docker run --cpus` or a limit
    of Kubernetes gives a share of the time of all. More threads than that only wait for each other.
    """
    quota = cpu_quota()
    return affinity() if quota is None else max(1, min(affinity(), math.ceil(quota)))


def affinity() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cpu_quota(groups: Path = GROUPS, own: Path = OWN_GROUPS) -> float | None:
    """Cores' worth of time that the control groups of Linux allow this process; None without a limit.

    Args:
        groups: Where the control groups lie.
        own: The file that names the groups of this process.
    """
    quotas = [quota for folder in _folders(groups, own) for quota in (_second(folder), _first(folder)) if quota]
    return min(quotas, default=None)


def _folders(groups: Path, own: Path) -> Iterator[Path]:
    """The group of this process and those around it. In a container its own lies at the root, whatever its name."""
    yield groups
    yield groups / "cpu"
    with suppress(OSError):
        for line in own.read_text().splitlines():
            _, controllers, name = line.split(":", 2)
            if controllers and "cpu" not in controllers.split(","):
                continue
            top = groups / "cpu" if controllers else groups
            folder = top / name.strip("/")
            while folder != top:
                yield folder
                folder = folder.parent


def _second(folder: Path) -> float | None:
    """The quota in version 2 of the control groups: `cpu.max` holds "200000 100000" or "max 100000"."""
    with suppress(OSError, ValueError):
        allowed, period = (folder / "cpu.max").read_text().split()
        return int(allowed) / int(period)
    return None


def _first(folder: Path) -> float | None:
    """The quota in version 1, -1 without a limit."""
    with suppress(OSError, ValueError):
        allowed = int((folder / "cpu.cfs_quota_us").read_text())
        return allowed / int((folder / "cpu.cfs_period_us").read_text()) if allowed > 0 else None
    return None
