"""Parts of a network by name, and the stages of encoders."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models import create_model
from foveate.pipeline.models.parts import find_part
from foveate.pipeline.models.stages import parameters_by_stage


def parameters(network: nn.Module, part: str) -> set[str]:
    return {*find_part(network, part)} & {name for name, _ in network.named_parameters()}


@pytest.fixture(scope="module")
def segnext() -> nn.Module:
    return create_model("segnext_t", num_classes=3)


@pytest.mark.parametrize(
    ("network", "count", "last"),
    [
        ("segnext_t", 4, ("patch_embed4.", "block4.", "norm4.")),
        ("van_b0", 4, ("patch_embed4.", "block4.", "norm4.")),
        ("mobilenet_v2_035", 5, ("features.14.", "features.15.", "features.16.", "features.17.")),
        ("timm:resnet18+smp:FPN", 5, ("model.layer4.",)),
        ("timm:resnet18", 5, ("layer4.",)),
        ("timm:test_convnext", 4, ("stages.3.",)),
        ("smp:resnet18+smp:FPN", 5, ("model.layer4.",)),
        ("smp:mit_b0+smp:FPN", 4, ("model.patch_embed4.", "model.block4.", "model.norm4.")),
    ],
)
def test_stages_are_what_the_features_depend_on(network: str, count: int, last: tuple[str, ...]) -> None:
    encoder = create_model(network, num_classes=3).get_submodule("encoder")
    stages = parameters_by_stage(encoder)
    assert len(stages) == count
    assert {*stages[-1]} == {name for name, _ in encoder.named_parameters() if name.startswith(last)}
    assert next(name for name, _ in encoder.named_parameters()) in stages[0]  # the stem


def test_blocks_in_the_slots_belong_to_their_stage() -> None:
    model = create_model("segnext_t", num_classes=3, attention={"stage": "se"})
    found = parameters(model, "encoder.stages[1]")
    assert any(name.startswith("encoder.attention2.") for name in found)
    assert not any(name.startswith("encoder.attention1.") for name in found)


def test_looking_for_stages_changes_nothing() -> None:
    encoder = create_model("mobilenet_v2_035", num_classes=3).get_submodule("encoder").train()
    before, chance = {k: v.clone() for k, v in encoder.state_dict().items()}, torch.get_rng_state()
    parameters_by_stage(encoder)
    assert encoder.training
    assert torch.equal(chance, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in encoder.state_dict().items())
    assert all(p.grad is None for p in encoder.parameters())


@pytest.mark.parametrize(
    ("part", "prefixes"),
    [
        ("encoder", ("encoder.",)),
        ("network.encoder", ("encoder.",)),
        ("encoder.block1", ("encoder.block1.",)),
        ("encoder.block1[0]", ("encoder.block1.0.",)),
        ("encoder.block1[-1]", ("encoder.block1.2.",)),
        ("encoder.block1[1:]", ("encoder.block1.1.", "encoder.block1.2.")),
        ("encoder.block1.0.layer_scale_1", ("encoder.block1.0.layer_scale_1",)),
        ("encoder.stages", ("encoder.",)),
        ("encoder.stages[0]", tuple(f"encoder.{x}1." for x in ("patch_embed", "block", "norm"))),
        ("encoder.stages[:2]", tuple(f"encoder.{x}{n}." for x in ("patch_embed", "block", "norm") for n in (1, 2))),
        ("decoder", ("decoder.",)),
    ],
)
def test_a_name_stands_for_what_lies_below_it(segnext: nn.Module, part: str, prefixes: tuple[str, ...]) -> None:
    wanted = {name for name, _ in segnext.named_parameters() if name.startswith(prefixes)}
    assert parameters(segnext, part) == wanted


def test_a_vit_has_no_stages_but_blocks() -> None:
    vit = create_model("vit_ti", num_classes=3)
    wanted = {name for name, _ in vit.named_parameters() if name.startswith(("encoder.blocks.0.", "encoder.blocks.1."))}
    assert parameters(vit, "encoder.blocks[:2]") == wanted
    with pytest.raises(ConfigError, match=r"no part named 'encoder.stages.:2.'.*parts of encoder: patch_embed, blocks"):
        find_part(vit, "encoder.stages[:2]")


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("encodr", r"no part named 'encodr' to freeze; did you mean 'encoder'\? \(parts: encoder, decoder\)"),
        ("encoder.blok1", r"did you mean 'encoder.block1'\? \(parts of encoder: stages\[0:4\], patch_embed1, block1"),
        ("encoder.stage[:2]", r"did you mean 'encoder.stages'\?.*stages\[0:4\]"),
        ("encoder.stages[7]", r"no part named 'encoder.stages\[7\]': there are 4, 0 to 3"),
        ("encoder.stages[4:]", "there are 4, 0 to 3"),
        ("encoder.block1[3]", "there are 3, 0 to 2"),
        ("decoder.stages[0]", "parts of decoder: "),
        ("encoder.stages[x]", "no part named"),
        ("true", "no part named 'true'"),
    ],
)
def test_an_unknown_part_is_answered_with_the_nearest_and_with_what_there_is(
    segnext: nn.Module, part: str, message: str
) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        find_part(segnext, part)
    assert "\n" not in str(error.value)
