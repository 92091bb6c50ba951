"""Generators are seeded as torch.manual_seed does it, and devices that are not in use cost nothing."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest
import torch

from foveate.datasets.loading.seeding import seed_generators


def draw() -> list[Any]:
    return [random.random(), np.random.rand(), *torch.rand(3).tolist()]  # noqa: NPY002


def test_numbers_are_those_after_torchs_own_seeding() -> None:
    random.seed(7)
    np.random.seed(7)  # noqa: NPY002
    torch.manual_seed(7)
    expected = draw()
    draw()
    seed_generators(7)
    assert draw() == expected
    seed_generators(8)
    assert draw() != expected


@pytest.mark.parametrize("module", [torch.cuda, torch.xpu, torch.mtia], ids=lambda one: one.__name__)
@pytest.mark.parametrize("used", [True, False])
def test_a_device_in_use_is_seeded_and_no_other(monkeypatch: pytest.MonkeyPatch, module: Any, used: bool) -> None:
    seeds: list[int] = []
    monkeypatch.setattr(module, "is_initialized", lambda: used)
    monkeypatch.setattr(module, "manual_seed_all", seeds.append)
    seed_generators(7)
    assert seeds == [7] * used


@pytest.mark.parametrize("which", ["mps", "another maker's device"])
def test_where_other_devices_are_torch_seeds_them_itself(monkeypatch: pytest.MonkeyPatch, which: str) -> None:
    seeds: list[int] = []
    if which == "mps":
        monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    else:
        monkeypatch.setattr(torch._C, "_get_privateuse1_backend_name", lambda: "npu")
    monkeypatch.setattr(torch, "manual_seed", seeds.append)
    seed_generators(7)
    assert seeds == [7]
