"""Rules in a process of their own: a block takes down that process, and the kit ends with a result for each rule."""

from __future__ import annotations

import ctypes
import os
import time

import pytest
import torch
from torch import Tensor, nn

from foveate.plugins.conformance import isolation
from foveate.plugins.conformance.isolation import can_travel
from foveate.plugins.testing import RULES, check_block, subject_of

FEW = [rule for rule in RULES if rule.name in ("builds", "batch of one", "dtype", "repeat", "deepcopy")]


class Plain(nn.Module):
    """A good block, whose answer to one sample others spoil."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) == 1:
            self.spoil()
        return x * self.conv(x).sigmoid()

    def spoil(self) -> None:
        """Nothing here."""


class EndsTheProcess(Plain):
    def spoil(self) -> None:
        os._exit(7)


class ReadsAnywhere(Plain):
    def spoil(self) -> None:
        ctypes.string_at(0)


class Waits(Plain):
    def spoil(self) -> None:
        time.sleep(60)


class TakesAllMemory(Plain):
    def spoil(self) -> None:
        torch.empty(2**40)


class Leaves(Plain):
    def spoil(self) -> None:
        raise SystemExit(0)


class NeedsWideFeatures(Plain):
    def __init__(self, channels: int) -> None:
        if channels < 48:
            raise RuntimeError("too narrow")
        super().__init__(channels)


class TakesTheRatioFirst(Plain):
    def __init__(self, reduction: int = 4, channels: int = 16) -> None:
        super().__init__(channels)


class TakesAKernelFirst(nn.Identity):
    def __init__(self, kernel_size: int = 7) -> None:
        super().__init__()


class TakesASmallNumberFirst(nn.Identity):
    def __init__(self, e_lambda: float = 1e-4) -> None:
        super().__init__()


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (EndsTheProcess, "it ends the process with code 7"),
        (ReadsAnywhere, "it ends the process: SIG"),
        (Waits, "it does not end within 3 s"),
        (TakesAllMemory, "memory"),
        (Leaves, "SystemExit"),
    ],
)
def test_whatever_a_block_does_each_rule_has_a_result(
    block: type[Plain], reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    check_block(Plain, rules=FEW[:1])  # the process is started and has imported torch
    monkeypatch.setattr(isolation, "PATIENCE", 3.0)
    monkeypatch.setattr(isolation, "PATIENCE_AGAIN", 20.0)
    results = {result.rule.name: result for result in check_block(block, rules=FEW)}
    assert list(results) == [rule.name for rule in FEW]
    assert (results["batch of one"].outcome, results["deepcopy"].outcome) == ("failed", "passed")
    assert reason in results["batch of one"].detail


def test_a_block_that_ends_every_process_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isolation, "ATTEMPTS", 1)
    outcomes = [result.outcome for result in check_block(EndsTheProcess, rules=FEW)]
    assert outcomes == ["passed", "failed", "skipped", "skipped"]


def test_a_block_is_tried_wider_where_it_needs_that() -> None:
    (built,) = check_block(NeedsWideFeatures, rules=RULES[:1])
    assert built.outcome == "passed"
    assert built.detail.endswith("at 64 channels; 16 are too few")


@pytest.mark.parametrize(
    ("block", "parameter"),
    [(TakesTheRatioFirst, "reduction"), (TakesAKernelFirst, "kernel_size"), (TakesASmallNumberFirst, "e_lambda")],
)
def test_a_width_that_lands_in_another_parameter_is_noticed(block: type[nn.Module], parameter: str) -> None:
    built, *_ = check_block(block)
    assert built.outcome == "failed"
    assert f"the number of channels is passed to {parameter!r}" in built.detail


def test_a_class_inside_a_function_is_tried_here() -> None:
    class Local(Plain):
        pass

    assert not can_travel(subject_of(Local, {}))
    assert can_travel(subject_of(Plain, {}))
    assert {result.outcome for result in check_block(Local, rules=FEW)} == {"passed"}
