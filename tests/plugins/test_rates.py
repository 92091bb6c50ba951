"""Parts of a network that ask for another learning rate."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest
import torch
from torch import nn

from foveate.plugins.blocks import create_block
from foveate.plugins.conformance import learning
from foveate.plugins.conformance.rule import try_rule
from foveate.plugins.conformance.subject import Builder, Subject
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.rates import lr_multipliers


class Shift(nn.Module):
    """The example of docs/plugins.md."""

    def __init__(self, channels: int, *, offset_lr_multiplier: float = 0.1) -> None:
        super().__init__()
        self.lr_multipliers = {"offset": offset_lr_multiplier}
        self.offset = nn.Conv2d(channels, 2, 3, padding=1)
        self.mix = nn.Conv2d(channels, channels, 1)


class Fixed(Shift):
    """The class holds the attribute."""

    lr_multipliers: ClassVar[dict[str, float]] = {"offset.weight": 0.5, "mix": 2}

    def __init__(self) -> None:
        super().__init__(4)
        del self.__dict__["lr_multipliers"]


class Computed(nn.Module):
    """The attribute is computed."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(1))

    @property
    def lr_multipliers(self) -> dict[str, float]:
        return {"scale": 0.3}


def declaring(declared: Any) -> nn.Module:
    module = Shift(4)
    module.lr_multipliers = declared
    return module


def test_a_part_is_slowed_down() -> None:
    assert lr_multipliers(Shift(4)) == {"offset.weight": 0.1, "offset.bias": 0.1}


def test_a_class_or_a_property_may_hold_them_and_names_may_be_those_of_parameters() -> None:
    assert lr_multipliers(Fixed()) == {"offset.weight": 0.5, "mix.weight": 2, "mix.bias": 2}
    assert lr_multipliers(Computed()) == {"scale": 0.3}


def test_modules_inside_each_other_multiply() -> None:
    outer = nn.ModuleDict({"shift": Shift(4), "other": nn.Linear(2, 2)})
    outer.lr_multipliers = {"shift": 0.5}  # type: ignore[assignment]
    assert lr_multipliers(nn.Sequential(outer)) == {
        "0.shift.offset.weight": 0.05,
        "0.shift.offset.bias": 0.05,
        "0.shift.mix.weight": 0.5,
        "0.shift.mix.bias": 0.5,
    }


def test_a_name_that_begins_like_another_is_another() -> None:
    module = nn.ModuleDict({"part": nn.Linear(1, 1, bias=False), "part2": nn.Linear(1, 1, bias=False)})
    module.lr_multipliers = {"part": 0.1}  # type: ignore[assignment]
    assert lr_multipliers(module) == {"part.weight": 0.1}


def test_a_multiple_of_one_asks_for_nothing() -> None:
    assert lr_multipliers(Shift(4, offset_lr_multiplier=1)) == {}


def test_a_wrapper_that_passes_attributes_on_does_not_ask_twice() -> None:
    compiled = torch.compile(Shift(4))
    assert isinstance(compiled, nn.Module)
    assert set(lr_multipliers(compiled).values()) == {0.1}


def test_shared_modules_and_modules_without_parameters_are_no_fault() -> None:
    first, second = Shift(4), Shift(4)
    second.offset = first.offset
    assert lr_multipliers(nn.Sequential(first, second)) == {"0.offset.weight": 0.1, "0.offset.bias": 0.1}
    first.offset = nn.Identity()  # type: ignore[assignment]
    assert lr_multipliers(first) == {}


@pytest.mark.parametrize("value", [0, -1, float("nan"), float("inf"), "0.1", True, None])
def test_a_multiple_that_is_none_is_refused(value: Any) -> None:
    with pytest.raises(PluginError, match=r"Shift.lr_multipliers must map names .* to numbers above 0"):
        lr_multipliers(declaring({"offset": value}))


@pytest.mark.parametrize("declared", [["offset"], "offset", 0.1])
def test_what_is_no_mapping_is_refused(declared: Any) -> None:
    with pytest.raises(PluginError, match=r"Shift.lr_multipliers must map"):
        lr_multipliers(declaring(declared))


def test_a_part_that_is_not_there_is_named_with_its_place() -> None:
    network = nn.ModuleDict({"stage": declaring({"ofset": 0.1})})
    with pytest.raises(PluginError, match=r"names 'ofset', which stage does not have; it has offset, mix"):
        lr_multipliers(network)


@pytest.mark.parametrize(
    ("name", "option", "slower"),
    [
        ("deformable", "offset_lr_multiplier", {"offset"}),
        ("deformable_v2", "offset_lr_multiplier", {"offset", "modulation"}),
        ("stn", "lr_multiplier", {"localise", "theta"}),
    ],
)
def test_blocks_that_sample_at_learned_positions_slow_these_down(name: str, option: str, slower: set[str]) -> None:
    found = lr_multipliers(create_block(name, 8))
    assert {part.partition(".")[0] for part in found} == slower
    assert set(found.values()) == {0.1}
    assert lr_multipliers(create_block({"name": name, option: 1.0}, 8)) == {}
    with pytest.raises(PluginConfigError, match=f"{option} is a number above 0, not 0"):
        create_block({"name": name, option: 0.0}, 8)


@pytest.mark.parametrize(("declared", "outcome"), [({"offset": 0.1}, "passed"), ({"ofset": 0.1}, "failed")])
def test_the_conformance_kit_finds_a_misspelt_part(declared: Any, outcome: str) -> None:
    subject = Subject("shift", Builder(lambda channels: declaring(declared), {}), channels=4)
    assert try_rule(learning.name_slower_parts, subject).outcome == outcome
