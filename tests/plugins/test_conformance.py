"""The conformance kit: good blocks pass, and each planted fault is caught by the rule that is meant for it."""

from __future__ import annotations

import importlib
import random
import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.plugins import Block
from foveate.plugins.errors import PluginConfigError
from foveate.plugins.manager import Offer, Provider, installed_plugins
from foveate.plugins.testing import RULES, Rule, assert_conforms, check_block, measure_costs, subject_of

NAMES = ["none", "se", "cbam", "lka", "msca"]
ALL = [o.record.name for o in installed_plugins().of_kind(Block) if o.provider.distribution == "foveate"]
OURS = [name if name in NAMES else pytest.param(name, marks=pytest.mark.slow) for name in ALL]


class Scaled(nn.Module):
    """A good block, to be spoilt: a weight for each channel from a 3 x 3 depthwise convolution."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.conv(x).sigmoid()


class CropsOddWidths(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : max(x.shape[3] // 2 * 2, 1)]


class AnswersOnePlaceInFloat64(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return x.double() if x.shape[2:] == (1, 1) else super().forward(x)


class NeedsMultiplesOf16(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.mix = nn.Conv2d(channels, channels, 1, groups=16)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.mix(x)


class NormalisesPooledFeatures(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.norm = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.norm(x.mean((2, 3)))[:, :, None, None].sigmoid()


class PromotesDtype(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.ones(x.shape[1:], dtype=torch.float64, device=x.device)


class ForgetsItsDtype(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.linspace(0, 1, x.shape[3], device=x.device)


class LosesItsLayout(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).contiguous()


class MistakesTheLayout(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
        return super().forward(x) * (2 if last else 1)


class StaysOnTheCpu(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.linspace(0, 1, x.shape[3], dtype=x.dtype, device="cpu")


class HoldsAPlainTensor(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.kernel = torch.ones(channels, 1, 3, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x * F.conv2d(x, self.kernel, padding=1, groups=x.shape[1]).sigmoid()


class OverflowsInExp(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        weights = x.exp()
        return super().forward(x) * weights / weights.sum(1, keepdim=True)


class DividesByPositionsLessOne(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        spread = (x - x.mean((2, 3), keepdim=True)).pow(2).sum((2, 3), keepdim=True) / (x.shape[2] * x.shape[3] - 1)
        return super().forward(x) * spread.sigmoid()


class RootOfZero(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * x.abs().sum((2, 3), keepdim=True).sqrt().sigmoid()


class AddsTooLittleForFloat16(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) / (x.abs().mean(1, keepdim=True) + 1e-8)


class MultipliesByZero(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return x + 0 * self.conv(x)


class LeavesAParameterUnused(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.scale = nn.Parameter(torch.ones(channels))


class DetachesTheInput(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach())


class WritesIntoTheInput(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.add_(1))


class DrawsInEvaluation(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.rand((), device=x.device)


class CountsItsCalls(Scaled):
    calls: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return super().forward(x) + 0.1 * self.calls


class RemembersTheFirstSize(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.grids: dict[int, float] = {}

    def forward(self, x: Tensor) -> Tensor:
        self.grids[x.shape[3]] = 1.0
        return super().forward(x) * sum(self.grids.values())


class LooksAtItsNeighbours(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - 0.5 * x.mean(0, keepdim=True)


class DiffersInTraining(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2 if self.training else 1)


class ZeroesByFunction(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return F.dropout(super().forward(x), 0.5, self.training)


class SaysThatItDiffers(DiffersInTraining):
    differs_in_training = "twice the steps"


class DrawsAtItsStart(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.scale = random.random()

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * self.scale


class KeepsAHistory(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.start = self.conv.weight * 2


class HoldsALambda(Scaled):
    def __init__(self, channels: int) -> None:
        super().__init__(channels)
        self.activation = lambda x: x.sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.activation(self.conv(x))


class ComparesValues(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.mean() > 0.5 else super().forward(x) * 2


class DiffersWhenCompiled(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2 if torch.compiler.is_dynamo_compiling() else 1)


class DiffersWhenExported(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * (2 if torch.compiler.is_exporting() else 1)


class BakesItsSizeIn(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * F.interpolate(F.adaptive_avg_pool2d(x, 4), x.shape[2:]).sigmoid()


class KnowsOneWidth(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * {24: 2.0}.get(int(x.shape[3]), 1.0)


class RoundsBelowZero(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * -(-x.shape[3] // 7)  # the exporter's quotient goes towards zero


class HasNoOnnxOperator(Scaled):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * torch.special.bessel_j0(x)


class MisspellsASlowerPart(Scaled):
    lr_multipliers: ClassVar[dict[str, float]] = {"cnv": 0.1}


class StopsAPartByItsRate(Scaled):
    lr_multipliers: ClassVar[dict[str, float]] = {"conv": 0.0}


class MapsAnotherSize(Scaled):
    forward = Scaled.forward

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return {"weights": x[..., :1, :1].flatten(1)}


class DrawsItsMaps(Scaled):
    forward = Scaled.forward

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return {"weights": torch.rand_like(x)}


class MapsByChangingItself(Scaled):
    forward = Scaled.forward

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        next(self.parameters()).data.mul_(2)
        return {}


FAULTS: dict[Callable[[int], nn.Module], str] = {
    CropsOddWidths: "shape",
    AnswersOnePlaceInFloat64: "dtype",
    NeedsMultiplesOf16: "widths",
    NormalisesPooledFeatures: "batch of one",
    PromotesDtype: "dtype",
    ForgetsItsDtype: "dtype",
    LosesItsLayout: "channels_last",
    MistakesTheLayout: "channels_last",
    StaysOnTheCpu: "device",
    OverflowsInExp: "finite",
    DividesByPositionsLessOne: "finite",
    RootOfZero: "finite",
    AddsTooLittleForFloat16: "finite",
    MultipliesByZero: "gradients",
    LeavesAParameterUnused: "unused parameters",
    DetachesTheInput: "gradient of the input",
    WritesIntoTheInput: "input untouched",
    DrawsInEvaluation: "evaluation repeats",
    CountsItsCalls: "no memory",
    RemembersTheFirstSize: "no memory",
    LooksAtItsNeighbours: "samples apart",
    DiffersInTraining: "training and evaluation",
    ZeroesByFunction: "training and evaluation",
    MisspellsASlowerPart: "learning rates",
    StopsAPartByItsRate: "learning rates",
    MapsAnotherSize: "maps",
    DrawsItsMaps: "maps",
    MapsByChangingItself: "maps",
    DrawsAtItsStart: "state dict",
    KeepsAHistory: "deepcopy",
    HoldsALambda: "pickle",
    DiffersWhenCompiled: "compile",
    ComparesValues: "export",
    DiffersWhenExported: "export",
}
ONNX = [rule for rule in RULES if rule.name == "onnx"]
WITHOUT_ONNX = [rule for rule in RULES if rule.name != "onnx"]  # some seconds a block: it has tests of its own


def broken(build: Callable[..., nn.Module], **settings: object) -> list[str]:
    results = check_block(build, rules=WITHOUT_ONNX, **settings)
    return [result.rule.name for result in results if result.outcome == "failed"]


@pytest.mark.parametrize(("build", "rule"), FAULTS.items(), ids=lambda one: getattr(one, "__name__", None))
def test_a_planted_fault_is_caught_by_its_rule_alone(build: Callable[[int], nn.Module], rule: str) -> None:
    assert broken(build) == [rule]


def test_every_rule_has_a_planted_fault() -> None:
    apart = {"builds", "onnx"}  # tested below
    assert {rule.name for rule in RULES} == {*FAULTS.values(), *apart}


def test_the_unspoilt_block_passes() -> None:
    assert broken(Scaled) == []


@pytest.mark.parametrize("name", OURS)
def test_our_blocks_conform(name: str) -> None:
    assert_conforms(name, rules=WITHOUT_ONNX)


@pytest.mark.slow
@pytest.mark.parametrize("name", ALL)
def test_our_blocks_give_the_same_answer_in_onnxruntime(name: str) -> None:
    (result,) = check_block(name, rules=ONNX)
    assert (result.outcome, result.detail) == ("passed", "opset 20, any size")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (BakesItsSizeIn, "the block in onnxruntime at 9 x 31 gives another output"),
        (KnowsOneWidth, "can be exported for 16 x 24 only: "),
        (HasNoOnnxOperator, "cannot be exported: .*bessel_j0"),
        (RoundsBelowZero, "the block in onnxruntime at 16 x 24 gives another output"),
        (DiffersWhenExported, "the block in onnxruntime at 16 x 24 gives another output"),
    ],
)
def test_a_block_that_onnx_does_not_carry_is_caught(build: Callable[[int], nn.Module], message: str) -> None:
    (result,) = check_block(build, rules=ONNX)
    assert result.outcome == "failed"
    assert re.match(message, result.detail)


@pytest.mark.slow
def test_windows_are_cut_in_onnxruntime_as_here() -> None:
    assert_conforms("self_attention", window=8, rules=ONNX)


@pytest.mark.parametrize("rule", [*WITHOUT_ONNX, pytest.param(ONNX[0], marks=pytest.mark.slow)], ids=str)
def test_the_example_plugin_conforms(rule: Rule, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(root / "examples/foveate-triplet")
    assert_conforms(importlib.import_module("foveate_triplet.block").TripletAttention, rules=[rule], kernel=5)


@pytest.mark.parametrize(
    "build",
    [lambda channels: "a string", lambda channels: nn.Linear(3, 4), lambda channels: nn.Flatten(), lambda: Scaled(8)],
)
def test_what_cannot_be_built_or_run_is_one_failure_and_nothing_else_is_tried(build: Callable[..., nn.Module]) -> None:
    first, *others = check_block(build)
    assert (first.rule.name, first.outcome) == ("builds", "failed")
    assert {(result.outcome, result.detail) for result in others} == {("skipped", "the block cannot be built")}


def test_a_lock_cannot_be_copied() -> None:
    class HoldsALock(Scaled):
        def __init__(self, channels: int) -> None:
            super().__init__(channels)
            self.lock = threading.Lock()

    assert broken(HoldsALock) == ["deepcopy", "pickle"]


def test_a_declared_multiple_of_is_respected() -> None:
    assert broken(NeedsMultiplesOf16, multiple_of=16) == []


def test_a_declared_difference_is_named() -> None:
    rules = [rule for rule in RULES if rule.name == "training and evaluation"]
    (result,) = check_block(SaysThatItDiffers, rules=rules)
    assert result.detail == "differs by SaysThatItDiffers (twice the steps)"


def test_a_failure_says_what_to_do() -> None:
    with pytest.raises(
        AssertionError, match=r"shape: the input has shape \(2, 16, 1, 7\), the output .*; pad before and crop"
    ):
        assert_conforms(CropsOddWidths)


def test_every_rule_promises_and_advises() -> None:
    assert all(rule.promise and rule.advice for rule in RULES)
    assert len({rule.name for rule in RULES}) == len(RULES)


def test_a_rule_can_be_left_out() -> None:
    assert broken(CropsOddWidths, skip=["shape"]) == []
    with pytest.raises(ValueError, match="no rule is called shap; there are: builds, shape"):
        check_block(Scaled, skip=["shap"])


def test_an_offer_is_tried_at_widths_that_its_record_allows() -> None:
    block = Block(name="made", summary="-", kind="3-D", build=NeedsMultiplesOf16, multiple_of=48)
    offer = Offer(record=block, provider=Provider(distribution="d", version="1", entry_point="e"))
    subject = subject_of(offer, {})
    assert (subject.channels, subject.width(100)) == (48, 144)
    widths = check_block(offer, rules=[rule for rule in RULES if rule.name == "widths"])
    assert widths[0].detail == "48, 96, 192, 528"


def test_options_are_those_of_a_recipe() -> None:
    assert_conforms("cbam", kernel=3, rules=RULES[:2])
    with pytest.raises(PluginConfigError, match="'cbam' has no option 'kernels'"):
        assert_conforms("cbam", kernels=3, rules=RULES[:2])


def test_the_callers_random_numbers_go_on_as_if_nothing_had_been_checked() -> None:
    torch.manual_seed(3)
    check_block(Scaled, rules=RULES[:8])
    drawn = torch.rand(2)
    torch.manual_seed(3)
    assert torch.equal(drawn, torch.rand(2))


def test_costs_are_counted_by_width() -> None:
    costs = measure_costs(subject_of("lka", {}), widths=(8, 16), size=(4, 6))
    taps = 5 * 5 + 7 * 7
    assert [cost.channels for cost in costs] == [8, 16]
    assert [cost.macs for cost in costs] == [24 * width * (taps + width) for width in (8, 16)]
    assert [cost.parameters for cost in costs] == [width * (taps + width + 3) for width in (8, 16)]


@pytest.mark.parametrize(
    ("name", "macs"),
    [
        ("self_attention", 24 * (16 * 48 + 16 * 16) + 2 * 24 * 24 * 16),  # query, key, value, out; then all with all
        ("deformable", 24 * 9 * 16 * (18 + 16)),  # where to look, and what is seen there
        ("deformable_v2", 24 * 9 * 16 * (18 + 9 + 16)),
    ],
)
def test_operators_that_pytorchs_counter_passes_over_are_counted(name: str, macs: int) -> None:
    (cost,) = measure_costs(subject_of(name, {}), widths=(16,), size=(4, 6))
    assert cost.macs == macs


def test_the_identity_costs_nothing() -> None:
    assert {(cost.parameters, cost.macs) for cost in measure_costs(subject_of("none", {}))} == {(0, 0)}


def test_without_the_onnx_packages_the_rule_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name, *rest: None)
    (result,) = check_block(Scaled, rules=[RULES[-1]], apart=False)
    assert result.outcome == "skipped"
    assert "pip install onnx onnxscript onnxruntime" in result.detail


def test_the_planted_blocks_are_not_installed() -> None:
    assert {offer.record.name for offer in installed_plugins().of_kind(Block)} >= set(NAMES)


@pytest.mark.parametrize("stand_in", ["cuda", "meta"])
def test_what_stays_behind_is_seen_whichever_device_stands_in(stand_in: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if stand_in == "cuda" and not torch.version.cuda:
        pytest.skip("torch was not built for CUDA")
    monkeypatch.setattr("foveate.plugins.conformance.device._stand_in", lambda mode: stand_in)
    rules = [rule for rule in RULES if rule.name == "device"]
    builds = (Scaled, StaysOnTheCpu, HoldsAPlainTensor, ComparesValues)
    outcomes = [check_block(build, rules=rules, apart=False)[0].outcome for build in builds]
    assert outcomes == ["passed", "failed", "failed", "skipped"]
