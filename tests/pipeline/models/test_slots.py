"""Attention by slot, in models that have one."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from foveate.pipeline.models import create_model
from foveate.pipeline.models.mscan import MSCAN, GatedAttention
from foveate.pipeline.models.slots import Attention, check_slots
from foveate.plugins.attention.cbam import ConvBlockAttention
from foveate.plugins.attention.lka import LargeKernelAttention
from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.errors import PluginConfigError


def encoder(attention: Attention | None) -> MSCAN:
    """A narrow MSCAN of two stages."""
    return MSCAN(channels=(16, 24), depths=(1, 2), mlp_ratios=(2, 2), attention=attention)


def gates(model: MSCAN) -> list[type[nn.Module]]:
    return [type(module) for name, module in model.named_modules() if name.endswith("spatial_gating_unit")]


@pytest.mark.parametrize(
    ("attention", "gate"),
    [
        (None, MultiScaleConvAttention),
        ({"stage": "se"}, MultiScaleConvAttention),
        ({"gate": "lka"}, LargeKernelAttention),
        ({"gate": "none"}, nn.Identity),
        ({"gate": ["se", "lka"]}, nn.Sequential),
        ({"gate": SqueezeExcitation}, SqueezeExcitation),
    ],
    ids=str,
)
def test_the_gate_sits_in_every_block(attention: Attention | None, gate: type[nn.Module]) -> None:
    assert gates(encoder(attention)) == [gate] * 3


def test_a_gate_of_none_is_the_identity_between_two_projections() -> None:
    attn = encoder({"gate": "none"}).get_submodule("block1.0.attn")
    assert isinstance(attn, GatedAttention)
    x = torch.randn(1, 16, 5, 6)
    assert torch.equal(attn(x), attn.proj_2(attn.activation(attn.proj_1(x))) + x)


def test_the_stage_slot_follows_each_stage_with_its_options_in_order() -> None:
    model = encoder({"stage": ["cbam", {"name": "se", "reduction": 2}]})
    for stage, width in ((1, 16), (2, 24)):
        slot = model.get_submodule(f"attention{stage}")
        first, second = slot.children()
        assert isinstance(first, ConvBlockAttention)
        assert isinstance(second, SqueezeExcitation)
        assert second.fc1.out_channels == width // 2


def test_the_stage_block_changes_what_the_stage_gives_and_hands_on() -> None:
    class Tripled(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 3 * x

    image, plain = torch.randn(1, 3, 32, 32), encoder(None).eval()
    tripled = encoder({"stage": Tripled}).eval()
    tripled.load_state_dict(plain.state_dict())
    bare, changed = plain(image), tripled(image)
    torch.testing.assert_close(changed[0], 3 * bare[0])
    assert not torch.allclose(changed[1], 3 * bare[1], atol=1e-3)


def test_the_decoder_slot_sits_before_the_classifier() -> None:
    class Zero(nn.Module):
        def __init__(self, channels: int) -> None:
            super().__init__()
            assert channels == 256

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return 0 * x

    model = create_model("segnext_t", num_classes=5, attention={"decoder": Zero}).eval()
    logits = model(torch.randn(1, 3, 64, 64))
    torch.testing.assert_close(logits, model.get_parameter("decoder.conv_seg.bias").view(1, 5, 1, 1).expand_as(logits))


@pytest.mark.parametrize("slot", ["gates", "input", "block"])
def test_a_slot_the_model_lacks_is_answered_with_those_it_has(slot: str) -> None:
    with pytest.raises(PluginConfigError, match=f"no attention slot {slot!r}.*slots: gate, stage") as caught:
        create_model("segnext_t", num_classes=5, attention={slot: "se"})
    assert caught.value.exit_code == 2


def test_the_input_slot_is_refused_with_the_reason() -> None:
    with pytest.raises(PluginConfigError, match="would leave the mask behind; `input` is for classifiers"):
        create_model("segnext_t", num_classes=5, attention={"input": "se"})


@pytest.mark.parametrize(
    ("attention", "message"),
    [
        ({"gate": "mcsa"}, "no block named 'mcsa'; did you mean 'msca'"),
        ({"stage": ["se", "cbma"]}, "no block named 'cbma'; did you mean 'cbam'"),
        ({"gate": {"kernels": [3]}}, "attention options without a name"),
        ({"gate": {"name": "lka", "kernal": 35}}, "'lka' has no option 'kernal'.*accepted: kernel, dilation"),
    ],
    ids=str,
)
def test_a_wrong_block_is_reported_when_the_model_is_built(attention: Attention, message: str) -> None:
    with pytest.raises(PluginConfigError, match=message):
        create_model("segnext_t", num_classes=5, attention=attention)


def test_good_slots_are_handed_back() -> None:
    assert check_slots({"gate": "se"}, ("gate", "stage"), "X") == {"gate": "se"}
    assert check_slots(None, ("gate",), "X") == {}


@pytest.mark.parametrize(
    ("name", "attention", "inside", "outside"),
    [
        ("segnext_t", {"gate@3": "se"}, "encoder.block3.0.attn.spatial_gating_unit", "encoder.block2.0"),
        ("segnext_t", {"stage@4": "se"}, "encoder.attention4", "encoder.attention3"),
        ("mobilenet_v2_035", {"block@2": "se"}, "encoder.features.2", "encoder.features.4"),
        ("mobilenet_v2_035", {"block@2": "se"}, "encoder.features.3", "encoder.features.1"),
        ("vit_ti", {"stage@1": "se"}, "encoder.attention1", "encoder.blocks"),
        ("timm:test_convnext+light_ham", {"stage@2": "se"}, "encoder.attention.1", "encoder.attention.0"),
        ("smp:mobilenet_v2+light_ham", {"stage@5": "se"}, "encoder.attention.4", "encoder.attention.3"),
    ],
    ids=str,
)
def test_a_slot_of_one_stage_is_filled_alone(name: str, attention: Attention, inside: str, outside: str) -> None:
    model = create_model(name, num_classes=3, attention=attention)

    def has(path: str) -> bool:
        return any(isinstance(module, SqueezeExcitation) for module in model.get_submodule(path).modules())

    assert has(inside)
    assert not has(outside)


def test_a_stage_of_its_own_takes_precedence_and_others_keep_what_the_slot_says() -> None:
    model = create_model("segnext_t", num_classes=3, attention={"stage": "se", "stage@2": "none"})
    kinds = [type(model.get_submodule(f"encoder.attention{stage}")).__name__ for stage in (1, 2, 3, 4)]
    assert kinds == ["SqueezeExcitation", "Identity", "SqueezeExcitation", "SqueezeExcitation"]


@pytest.mark.parametrize(
    ("slot", "message"),
    [
        ("gate@5", "MSCAN has no stage '5' for gate@5; accepted: 1 to 4"),
        ("gate@0", "no stage '0'"),
        ("gate@", "no stage ''"),
        ("decoder@1", "has the slot 'decoder' once"),
        ("gates@2", "no attention slot 'gates@2'"),
    ],
)
def test_a_stage_that_is_not_there_is_refused(slot: str, message: str) -> None:
    with pytest.raises(PluginConfigError, match=message):
        create_model("segnext_t", num_classes=3, attention={slot: "se"})
