"""Optimiser groups and learning rates."""

from __future__ import annotations

from typing import Any

import pytest
import timm
import torch
from timm.optim import param_groups_layer_decay
from torch import nn
from torch.optim import SGD, AdamW

from foveate.pipeline.errors import CheckpointError, ConfigError
from foveate.pipeline.models import create_model
from foveate.pipeline.optimisation.optimiser import (
    OptimizerConfig,
    create_optimizer,
    layer_factors,
    parameter_groups,
)


class Model(nn.Module):
    """One layer and one norm on either side."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.ModuleDict({"conv": nn.Conv2d(3, 4, 1), "norm1": nn.BatchNorm2d(4)})
        self.decoder = nn.ModuleDict({"conv": nn.Conv2d(4, 2, 1), "norm": nn.GroupNorm(1, 2)})


def test_groups_differ_by_side_and_by_norm() -> None:
    groups = {g["name"]: g for g in parameter_groups(Model(), OptimizerConfig(lr=1e-3, weight_decay=0.1))}
    assert {name: (g["lr"], g["weight_decay"]) for name, g in groups.items()} == {
        "encoder": (1e-3, 0.1),
        "encoder_norm": (1e-3, 0.0),
        "decoder": (pytest.approx(1e-2), 0.1),
        "decoder_norm": (pytest.approx(1e-2), 0.0),
    }
    assert {name: len(g["params"]) for name, g in groups.items()} == dict.fromkeys(groups, 2)


def slowed() -> nn.Module:
    """A model whose two convolutions ask for a tenth of the rate."""
    model = Model()
    model.encoder.lr_multipliers = model.decoder.lr_multipliers = {"conv": 0.1}  # type: ignore[assignment]
    return model


def test_parts_that_ask_for_another_rate_get_groups_of_their_own() -> None:
    groups = {g["name"]: g for g in parameter_groups(slowed(), OptimizerConfig(lr=1e-3, weight_decay=0.1))}
    assert list(groups) == ["encoder_norm", "decoder_norm", "encoder_0.1", "decoder_1"]  # the usual rates come first
    assert {name: (g["lr"], g["weight_decay"], g["names"][0]) for name, g in groups.items()} == {
        "encoder_0.1": (pytest.approx(1e-4), 0.1, "encoder.conv.weight"),
        "encoder_norm": (1e-3, 0.0, "encoder.norm1.weight"),
        "decoder_1": (pytest.approx(1e-3), 0.1, "decoder.conv.weight"),
        "decoder_norm": (pytest.approx(1e-2), 0.0, "decoder.norm.weight"),
    }


def test_a_step_moves_such_a_part_by_its_share_of_the_rate() -> None:
    model = slowed()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = create_optimizer(
        model, OptimizerConfig(name="sgd", lr=1.0, momentum=0.0, weight_decay=0.0, decoder_lr_multiplier=10.0)
    )
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    moved = {name: (before[name] - p.detach()).mean().item() for name, p in model.named_parameters()}
    assert moved["encoder.conv.weight"] == pytest.approx(0.1, rel=1e-5)
    assert moved["encoder.norm1.weight"] == pytest.approx(1.0)
    assert moved["decoder.conv.bias"] == pytest.approx(1.0, rel=1e-5)
    assert moved["decoder.norm.bias"] == pytest.approx(10.0)


def test_such_parts_keep_their_share_under_a_layer_decay() -> None:
    model = create_model("mobilenet_v2_050", num_classes=3, attention={"stage": "deformable"})
    groups = parameter_groups(model, OptimizerConfig(layer_decay=0.9))
    rates = {name: group["lr"] for group in groups for name in group["names"]}
    offsets = [name for name in rates if ".offset." in name]
    assert len(offsets) == 2 * 5
    assert all(rates[name] == pytest.approx(0.1 * rates[name.replace(".offset.", ".conv.")]) for name in offsets)
    assert len({group["name"] for group in groups}) == len(groups)


def test_every_parameter_of_segnext_is_in_one_group() -> None:
    model = create_model("segnext_t", num_classes=3)
    grouped = [id(p) for group in parameter_groups(model, OptimizerConfig()) for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters()))


def test_frozen_parameters_are_left_alone() -> None:
    model = Model()
    model.encoder.requires_grad_(False)
    assert [g["name"] for g in parameter_groups(model, OptimizerConfig())] == ["decoder", "decoder_norm"]


@pytest.mark.parametrize(("name", "kind"), [("adamw", AdamW), ("sgd", SGD)])
def test_the_optimiser_is_the_one_named(name: str, kind: type) -> None:
    optimizer = create_optimizer(Model(), OptimizerConfig(name=name, lr=1e-3, momentum=0.8))  # type: ignore[arg-type]
    assert type(optimizer) is kind
    momentum = [g["betas"][0] if name == "adamw" else g["momentum"] for g in optimizer.param_groups]
    assert set(momentum) == {0.8}


def state_of(**options: Any) -> dict[str, Any]:
    """What a checkpoint keeps of a ViT's optimiser."""
    return create_optimizer(create_model("vit_ti", num_classes=3), OptimizerConfig(**options)).state_dict()


@pytest.mark.parametrize(
    ("saved", "there"),
    [
        ({"name": "sgd"}, "sgd in 3 groups"),
        ({"layer_decay": 0.5}, "adamw in"),
        ({"no_decay": "norm_and_bias"}, "adamw"),
    ],
)
def test_the_state_of_another_optimiser_is_refused_in_words(saved: dict[str, Any], there: str) -> None:
    asked = create_optimizer(create_model("vit_ti", num_classes=3), OptimizerConfig())
    with pytest.raises(CheckpointError, match=rf"trained with {there}.*; the recipe asks for adamw in 3 groups.*To go"):
        asked.load_state_dict(state_of(**saved))


@pytest.mark.parametrize(
    ("saved", "asked"),
    [({}, {"lr": 1e-2, "weight_decay": 0.3}), ({"layer_decay": 0.5}, {"layer_decay": 0.75}), *[({"name": "sgd"},) * 2]],
)
def test_other_rates_and_decay_take_the_state_as_it_is(saved: dict[str, Any], asked: dict[str, Any]) -> None:
    optimizer = create_optimizer(create_model("vit_ti", num_classes=3), OptimizerConfig(**asked))
    optimizer.load_state_dict(state_of(**saved))
    assert len(optimizer.param_groups) == len(state_of(**saved)["param_groups"])


@pytest.mark.parametrize("name", ["adamw", "torch:RMSprop"])
def test_weights_in_float16_get_an_eps_that_suits_them(name: str) -> None:
    half = create_optimizer(Model().half(), OptimizerConfig(name=name))
    assert {group["eps"] for group in half.param_groups} == {1e-3}
    whole = create_optimizer(Model(), OptimizerConfig(name=name))
    assert {group["eps"] for group in whole.param_groups} == {1e-8}


@pytest.mark.parametrize("name", ["torch:Adafactor", "timm:adafactor", "sgd", "timm:lion"])
def test_an_eps_of_another_kind_stays(name: str) -> None:
    half, whole = (create_optimizer(model, OptimizerConfig(name=name)) for model in (Model().half(), Model()))
    assert half.param_groups[0].get("eps") == whole.param_groups[0].get("eps")


def test_an_eps_that_was_asked_for_stays() -> None:
    half = create_optimizer(Model().half(), OptimizerConfig(options={"eps": 1e-7}))
    assert {group["eps"] for group in half.param_groups} == {1e-7}


@pytest.mark.parametrize("gradient", [1e-6, 1e-4, 3e-3, 0.1])
def test_a_step_of_weights_in_float16_is_no_more_than_some_times_the_rate(gradient: float) -> None:
    """Also once the gradients are gone: their mean is still there, and the mean of their squares is 0 in float16."""
    model = Model().half()
    optimizer = create_optimizer(model, OptimizerConfig(lr=1e-2, decoder_lr_multiplier=1, weight_decay=0))
    for value in (gradient, 0.0, 0.0):
        before = [parameter.detach().clone() for parameter in model.parameters()]
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, value)
        optimizer.step()
        moved = max((a - b).abs().max().item() for a, b in zip(before, model.parameters(), strict=True))
        assert moved < 6 * 1e-2


def test_layer_decay_of_a_vit_is_timms() -> None:
    theirs = timm.create_model("vit_tiny_patch16_224", num_classes=3)
    names = {id(parameter): name for name, parameter in theirs.named_parameters()}
    wanted = {
        names[id(p)]: g["lr_scale"] for g in param_groups_layer_decay(theirs, layer_decay=0.7) for p in g["params"]
    }
    inside = [name for name in wanted if not name.startswith(("head.", "norm."))]  # the last norm is the head's there
    assert layer_factors(inside, 0.7) == pytest.approx({name: wanted[name] for name in inside})


@pytest.mark.parametrize(
    ("network", "last", "first", "blocks"),
    [
        ("mscan_t", "block4.1.", "patch_embed1.", 13),
        ("van_b0", "block4.1.", "patch_embed1.", 13),
        ("mobilenet_v2_035", "features.17.", "features.0.", 18),
        ("timm:vit_tiny_patch16_224+linear_head", "model.model.blocks.11.", "model.model.patch_embed.", 13),
        ("timm:vit_small_patch16_lingbot+linear_head", "model.model.blocks.11.", "model.model.reg_token", 13),
    ],
)
def test_layer_decay_goes_from_the_last_block_to_the_first(network: str, last: str, first: str, blocks: int) -> None:
    encoder: Any = create_model(network, num_classes=3).encoder
    factors = layer_factors([name for name, _ in encoder.named_parameters()], 0.5)
    assert {factor for name, factor in factors.items() if name.startswith(last)} == {0.5}
    assert {factor for name, factor in factors.items() if name.startswith(first)} == {0.5**blocks}
    assert set(factors.values()) == {0.5**number for number in range(1, blocks + 1)}


def test_with_layer_decay_the_head_learns_fastest_and_each_parameter_once() -> None:
    model = create_model("vit_ti", num_classes=3)
    groups = parameter_groups(model, OptimizerConfig(lr=1.0, layer_decay=0.5, decoder_lr_multiplier=2.0))
    grouped = [id(p) for group in groups for p in group["params"]]
    assert sorted(grouped) == sorted(map(id, model.parameters()))
    assert {g["lr"] for g in groups} == {2.0, *(0.5**number for number in range(1, 14))}
    assert len({g["name"] for g in groups}) == len(groups)


def test_biases_scales_and_positions_are_spared_decay_if_asked() -> None:
    for network in ("vit_ti", "mobilenet_v2_035", "mscan_t"):
        model = create_model(network, num_classes=3)
        groups = parameter_groups(model, OptimizerConfig(no_decay="norm_and_bias"))
        decayed = {id(p) for g in groups if g["weight_decay"] for p in g["params"]}
        names = {name for name, p in model.named_parameters() if id(p) in decayed}
        assert names
        assert all(name.endswith("weight") and "norm" not in name for name in names)
        assert all(p.ndim > 1 for p in model.parameters() if id(p) in decayed)


@pytest.mark.parametrize(
    ("option", "value", "accepted"),
    [
        ("lr", -1.0, "at least 0"),
        ("lr", float("nan"), "finite"),
        ("lr", float("inf"), "finite"),
        ("weight_decay", -0.1, "at least 0"),
        ("decoder_lr_multiplier", -1.0, "at least 0"),
        ("momentum", 1.0, "at least 0 and below 1"),
        ("momentum", -0.1, "at least 0 and below 1"),
        ("layer_decay", 1.5, "above 0 and at most 1"),
        ("layer_decay", 0.0, "above 0 and at most 1"),
    ],
)
def test_numbers_out_of_range_are_refused(option: str, value: float, accepted: str) -> None:
    with pytest.raises(ConfigError, match=f"optimizer.{option}: {value} is not accepted; accepted: .*{accepted}"):
        OptimizerConfig(**{option: value})  # type: ignore[arg-type]


def test_a_state_of_other_parameters_is_refused_though_they_are_as_many() -> None:
    first, second = Model(), Model()
    first.encoder["conv"].weight.requires_grad_(False)
    second.encoder["conv"].bias.requires_grad_(False)
    state = create_optimizer(first, OptimizerConfig()).state_dict()
    with pytest.raises(CheckpointError, match=r"trained encoder.conv.bias, the recipe trains encoder.conv.weight"):
        create_optimizer(second, OptimizerConfig()).load_state_dict(state)


def test_a_state_without_names_is_taken() -> None:
    state = create_optimizer(Model(), OptimizerConfig()).state_dict()
    for group in state["param_groups"]:
        del group["names"]
    create_optimizer(Model(), OptimizerConfig()).load_state_dict(state)


def test_layer_decay_counts_frozen_blocks_too() -> None:
    model = create_model("vit_ti", num_classes=3)
    every = {id(p): g["lr"] for g in parameter_groups(model, OptimizerConfig(layer_decay=0.5)) for p in g["params"]}
    model.encoder.blocks[10:].requires_grad_(False)  # type: ignore[index, union-attr]
    some = {id(p): g["lr"] for g in parameter_groups(model, OptimizerConfig(layer_decay=0.5)) for p in g["params"]}
    assert len(some) < len(every)
    assert some.items() <= every.items()
