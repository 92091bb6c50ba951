"""From what a recipe says of a slot to the module that sits there."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from foveate.plugins import Block
from foveate.plugins.attention.cbam import ConvBlockAttention
from foveate.plugins.attention.lka import LargeKernelAttention
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.blocks import SlotSpec, create_block, create_slot, list_specs, parse_spec
from foveate.plugins.errors import PluginConfigError, PluginError
from foveate.plugins.manager import Offer, Plugins, Provider


def offered(**fields: object) -> Plugins:
    """One made-up block."""
    settings: dict[str, Any] = {"name": "made", "summary": "Made up", "kind": "3-D", "build": nn.BatchNorm2d, **fields}
    block = Block(**settings)
    return Plugins([Offer(record=block, provider=Provider(distribution="d", version="1", entry_point="e"))])


@pytest.mark.parametrize(
    ("spec", "parsed"),
    [
        ("se", ("se", {})),
        ({"name": "se"}, ("se", {})),
        ({"name": "se", "reduction": 4}, ("se", {"reduction": 4})),
    ],
)
def test_a_specification_is_a_name_or_a_mapping(spec: str | dict[str, object], parsed: object) -> None:
    assert parse_spec(spec) == parsed


def test_parsing_leaves_the_recipe_as_it_was() -> None:
    spec = {"name": "se", "reduction": 4}
    parse_spec(spec)
    assert spec == {"name": "se", "reduction": 4}


@pytest.mark.parametrize("spec", [{"reduction": 4}, {}, {"name": 3}, {"name": None}])
def test_options_without_a_name_are_an_error(spec: dict[str, object]) -> None:
    with pytest.raises(PluginConfigError, match="attention options without a name"):
        create_block(spec, 32)


def test_an_unknown_option_is_answered_with_those_accepted() -> None:
    with pytest.raises(PluginConfigError, match=r"'se' has no option 'ratio' \(accepted: reduction, bias") as caught:
        create_block({"name": "se", "ratio": 4}, 32)
    assert caught.value.exit_code == 2


def test_a_block_without_options_says_so() -> None:
    with pytest.raises(PluginConfigError, match="accepted: none"):
        create_block({"name": "none", "ratio": 4}, 32)


def test_a_build_with_free_options_takes_any() -> None:
    def build(channels: int, **options: int) -> nn.Module:
        return nn.Conv2d(channels, options["width"], 1)

    block = create_block({"name": "made", "width": 5}, 3, plugins=offered(build=build))
    assert isinstance(block, nn.Conv2d)
    assert block.out_channels == 5


def test_options_reach_the_block() -> None:
    block = create_block({"name": "se", "reduction": 4, "bias": False}, 32)
    assert isinstance(block, SqueezeExcitation)
    assert (block.fc1.out_channels, block.fc1.bias) == (8, None)


def test_channels_that_do_not_divide_are_refused() -> None:
    plugins = offered(multiple_of=8)
    with pytest.raises(PluginConfigError, match=r"multiple of 8 channels.* 12"):
        create_block("made", 12, plugins=plugins)
    assert isinstance(create_block("made", 16, plugins=plugins), nn.BatchNorm2d)


@pytest.mark.parametrize("build", ["made_up_nowhere:Made", "torch.nn:Nothing", "torch:float32"])
def test_a_block_that_cannot_be_imported_is_the_plugins_fault(build: str) -> None:
    with pytest.raises(PluginError, match="block 'made' of d 1 cannot be built: ") as caught:
        create_block("made", 8, plugins=offered(build=build))
    assert caught.value.exit_code == 5


@pytest.mark.parametrize("spec", [nn.BatchNorm2d, lambda channels: nn.BatchNorm2d(channels)])
def test_python_may_give_a_class_or_a_callable(spec: SlotSpec) -> None:
    slot = create_slot(spec, 8)
    assert isinstance(slot, nn.BatchNorm2d)
    assert slot.num_features == 8


@pytest.mark.parametrize(
    ("spec", "listed"),
    [
        (None, []),
        ("se", ["se"]),
        ({"name": "se"}, [{"name": "se"}]),
        (["se", {"name": "lka"}], ["se", {"name": "lka"}]),
    ],
)
def test_a_slot_is_a_list_of_specifications(spec: SlotSpec, listed: list[object]) -> None:
    assert list_specs(spec) == listed


def test_a_list_is_applied_in_order() -> None:
    slot = create_slot(["cbam", {"name": "lka", "kernel": 35}, nn.BatchNorm2d], 16)
    assert isinstance(slot, nn.Sequential)
    assert [type(block) for block in slot] == [ConvBlockAttention, LargeKernelAttention, nn.BatchNorm2d]


def test_one_block_keeps_its_parameters_names() -> None:
    assert "fc1.weight" in create_slot(["se"], 16).state_dict()


@pytest.mark.parametrize("spec", [None, [], "none"])
def test_none_is_the_identity(spec: SlotSpec) -> None:
    assert isinstance(create_slot(spec, 8), nn.Identity)
