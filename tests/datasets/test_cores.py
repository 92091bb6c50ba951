"""Cores that a process may use: affinity and quotas as the kernel's files state them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from foveate.datasets.cores import cpu_quota, usable_cores


def lay(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "quota"),
    [
        ("0::/\n", {}, None),
        ("0::/\n", {"cpu.max": "max 100000\n"}, None),
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 1.5),
        (
            "0::/a.slice/b.scope\n",
            {"a.slice/cpu.max": "50000 100000\n", "a.slice/b.scope/cpu.max": "max 100000\n"},
            0.5,
        ),
        ("0::/outside/of/container\n", {"cpu.max": "400000 100000\n"}, 4.0),
        ("4:cpu,cpuacct:/x\n", {"cpu/x/cpu.cfs_quota_us": "250000", "cpu/x/cpu.cfs_period_us": "100000"}, 2.5),
        ("4:cpu,cpuacct:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
        ("5:memory:/x\n", {"cpu/x/cpu.cfs_quota_us": "250000", "cpu/x/cpu.cfs_period_us": "100000"}, None),
        ("0::/\n", {"cpu.max": "damaged\n"}, None),
    ],
)
def test_quotas_of_both_versions(own: str, files: dict[str, str], quota: float | None, tmp_path: Path) -> None:
    lay(tmp_path, {**files, "own": own})
    assert cpu_quota(tmp_path, tmp_path / "own") == quota


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system does not bind processes to cores")
def test_a_bound_process_counts_its_own_cores() -> None:
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(before)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, before)


def test_a_quota_is_rounded_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("foveate.datasets.cores.cpu_quota", lambda: 0.3)
    assert usable_cores() == 1
