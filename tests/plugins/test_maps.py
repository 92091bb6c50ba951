"""Attention maps of blocks: what each offers, how they are recorded, and that nothing else changes."""

from __future__ import annotations

import logging

import pytest
import torch
from torch import Tensor, nn

from foveate.plugins.attention.cbam import ConvBlockAttention
from foveate.plugins.attention.eca import EfficientChannelAttention
from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.attention.self_attention import SelfAttention
from foveate.plugins.conformance.subject import jitter
from foveate.plugins.maps import RecordedMap, recording_maps
from foveate.plugins.offering import offers


def record(block: nn.Module, x: Tensor) -> dict[str, Tensor]:
    with recording_maps(block.eval()) as recorded, torch.no_grad():
        block(x)
    return {one.name: one.values for one in recorded}


def features(channels: int = 16, size: tuple[int, int] = (6, 8)) -> Tensor:
    return torch.randn(2, channels, *size, generator=torch.Generator().manual_seed(0))


def test_se_gives_its_sigmoid_weights() -> None:
    block, x = jitter(SqueezeExcitation(16)), features()
    mean = x.mean((2, 3))
    hidden = (mean @ block.fc1.weight.flatten(1).mT + block.fc1.bias).clamp(min=0)
    expected = 1 / (1 + torch.exp(-(hidden @ block.fc2.weight.flatten(1).mT + block.fc2.bias)))
    torch.testing.assert_close(record(block, x)["channel weights"][..., 0, 0], expected.detach())


def test_eca_gives_its_sigmoid_weights() -> None:
    block, x = jitter(EfficientChannelAttention(16, kernel=3)), features()
    first, middle, last = block.conv.weight.flatten().detach()
    padded = nn.functional.pad(x.mean((2, 3)), (1, 1))
    expected = (first * padded[:, :-2] + middle * padded[:, 1:-1] + last * padded[:, 2:]).sigmoid()
    torch.testing.assert_close(record(block, x)["channel weights"][..., 0, 0], expected)


def test_the_two_maps_of_cbam_multiply_to_its_output() -> None:
    block, x = jitter(ConvBlockAttention(16)), features()
    maps = record(block, x)
    assert maps["position weights"].shape == (2, 1, 6, 8)
    torch.testing.assert_close(x * maps["channel weights"] * maps["position weights"], block(x).detach())


def test_the_branches_of_msca_are_summed_and_mixed_to_its_gate() -> None:
    block, x = jitter(MultiScaleConvAttention(16)), features()
    maps = record(block, x)
    gate = maps.pop("gate")
    assert list(maps) == ["branch 0, 5 x 5", "branch 1, 7 x 7", "branch 2, 11 x 11", "branch 3, 21 x 21"]
    torch.testing.assert_close(block.conv3(sum(maps.values())).detach(), gate)
    torch.testing.assert_close(gate * x, block(x).detach())


@pytest.mark.parametrize(("window", "size"), [(64, (3, 4)), (None, (3, 4))])
def test_rows_of_attention_sum_to_1_and_give_the_output(window: int | None, size: tuple[int, int]) -> None:
    block, x = jitter(SelfAttention(16, heads=1, window=window)), features(size=size)
    attention = record(block, x)["attention"]
    torch.testing.assert_close(attention.sum(-1), torch.ones(2, 1, 12))
    values = block.qkv(x.permute(0, 2, 3, 1)).flatten(1, 2)[..., 32:]
    mixed = block.proj(attention[:, 0] @ values).mT.unflatten(2, size)
    torch.testing.assert_close((x + mixed).detach(), block(x).detach())


def test_a_feature_map_in_windows_has_no_map() -> None:
    assert record(SelfAttention(16, window=4), features()) == {}


class Gate(nn.Module):
    """The example of docs/plugins.md."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 1, 1)

    def weights(self, x: Tensor) -> Tensor:
        return self.conv(x).sigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weights(x)

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return {"position weights": self.weights(x)}


class Doubled(Gate):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2


class Nested(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.gate = Gate(16)

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(x)

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        return {"sum": self.gate(x).mean((2, 3), keepdim=True)}


class Failing(Gate):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)

    def maps(self, x: Tensor) -> dict[str, Tensor]:
        raise RuntimeError("no maps today")


def test_a_recorded_map_says_where_it_is_from() -> None:
    network = nn.Sequential(nn.Identity(), Gate(16)).eval()
    with recording_maps(network) as recorded:
        network(features())
    (one,) = recorded
    assert isinstance(one, RecordedMap)
    assert (one.module, one.block, one.name) == ("1", "Gate", "position weights")
    assert (one.kind, one.grid) == ("positions", (6, 8))


def test_a_module_that_calls_another_for_its_maps_does_not_record_that_one_twice() -> None:
    with recording_maps(network := Nested().eval()) as recorded:
        network(features())
    assert [one.name for one in recorded] == ["position weights", "sum"]


def test_a_class_with_another_forward_offers_nothing() -> None:
    assert not offers(Doubled, "maps")
    assert record(Doubled(16), features()) == {}


def test_maps_that_fail_are_left_out_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        assert record(Failing(16), features()) == {}
    assert "its maps are left out: RuntimeError: no maps today" in caplog.text


def test_without_recording_maps_are_never_computed() -> None:
    block = Failing(16).eval()
    with recording_maps(block):
        pass
    block(features())
    assert not block._forward_hooks
