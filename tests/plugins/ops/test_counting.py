"""Multiply-adds against counts by hand: each formula stands in the test."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from foveate.pipeline.engines.fold.network import fold
from foveate.pipeline.models import create_model
from foveate.plugins.attention.deformable import modulated_deformable_conv
from foveate.plugins.attention.self_attention import SelfAttention
from foveate.plugins.ops.counting import count_macs
from foveate.plugins.ops.native import compiled


@pytest.fixture(params=["kernels", "plain"])
def native(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the native kernels, where they can be had, and without."""
    if request.param == "plain":
        monkeypatch.setattr(compiled, "kernels", lambda: None)


def channels_last(*shape: int) -> Tensor:
    return torch.rand(*shape).contiguous(memory_format=torch.channels_last)


def mobilenet_v2(size: int, classes: int) -> int:
    """Sandler et al. 2018, table 2: expansion t, width c, repeats n, stride s."""
    side, width = size // 2, 32
    total = side**2 * 27 * width
    rows = [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)]
    for t, c, n, s in rows:
        for stride in [s] + [1] * (n - 1):
            hidden = t * width
            total += side**2 * width * hidden * (t > 1)
            side //= stride
            total += side**2 * (9 * hidden + hidden * c)
            width = c
    return total + side**2 * width * 1280 + 1280 * classes


def test_mobilenet_v2_has_its_300_million(native: None) -> None:
    macs = count_macs(create_model("mobilenet_v2_100", num_classes=1000), channels_last(1, 3, 224, 224))
    assert macs == mobilenet_v2(224, 1000)
    assert round(macs / 1e6) == 301


def test_vit_ti(native: None) -> None:
    width, tokens, depth = 192, (224 // 16) ** 2 + 1, 12
    layer = tokens * 12 * width**2 + 2 * tokens**2 * width  # qkv 3, out 1, mlp 8; queries by keys, weights by values
    expected = (tokens - 1) * 3 * 16**2 * width + depth * layer + 1000 * width
    macs = count_macs(create_model("vit_ti", num_classes=1000), torch.rand(1, 3, 224, 224))
    assert macs == expected
    assert round(macs / 1e6, 1) == 1253.7


def segnext_t(height: int, width: int, classes: int) -> int:
    """Guo et al. 2022, figures 2 and 3, table 2; the factorisation of LightHam: Geng et al. 2021, algorithm 2."""
    pixels, channels, depths, ratios = height * width, (32, 64, 160, 256), (3, 3, 5, 2), (8, 8, 4, 4)
    total = pixels // 4 * 9 * 3 * 16  # the stem's first convolution, to half the width at stride 2
    for stage, (c, depth, ratio) in enumerate(zip(channels, depths, ratios, strict=True)):
        positions = pixels // 4 ** (stage + 2)
        gate = 5 * 5 + 2 * (7 + 11 + 21) + c
        block = c * (2 * c + gate + ratio * (2 * c + 3 * 3))
        total += positions * (9 * (16, *channels)[stage] * c + depth * block)
    n, d, rank, steps = pixels // 64, 256, 16, 7
    total += sum(pixels // 4 ** (stage + 2) * c * d for stage, c in enumerate(channels) if stage)  # squeeze
    total += n * d * (3 * d + classes)  # 1 x 1 before and after the factorisation, align, classes
    updates = 2 * steps + 1
    return total + (updates + 2) * n * d * rank + updates * rank**2 * (n + d)


@pytest.mark.parametrize("size", [(128, 256), pytest.param((1024, 2048), marks=pytest.mark.slow)])
def test_segnext_t(size: tuple[int, int], native: None) -> None:
    assert count_macs(create_model("segnext_t", num_classes=19), channels_last(1, 3, *size)) == segnext_t(*size, 19)


@pytest.mark.parametrize("name", ["segnext_t", "mobilenet_v2_100", "vit_ti"])
def test_a_folded_network_is_counted_like_the_network(name: str) -> None:
    network, image = create_model(name, num_classes=5).eval(), channels_last(1, 3, 64, 96)
    assert count_macs(fold(network, image), image) == count_macs(network, image)


def self_attention(width: int, positions: int) -> int:
    return positions * 4 * width**2 + 2 * positions**2 * width


def test_self_attention_counts_its_two_products() -> None:
    assert count_macs(SelfAttention(32), torch.rand(1, 32, 64, 64)) == self_attention(32, 64**2)
    windows = count_macs(SelfAttention(16, window=4), torch.rand(1, 16, 8, 8))
    assert windows == 8**2 * 4 * 16**2 + 4 * 2 * 16**2 * 16  # four windows of 16 positions
    padded = count_macs(SelfAttention(16, window=4), torch.rand(1, 16, 6, 6))
    assert padded == 6**2 * 4 * 16**2 + 4 * 2 * 9**2 * 16  # with a mask


def test_deformable_v2() -> None:
    block = modulated_deformable_conv(16)
    assert count_macs(block, torch.rand(1, 16, 8, 8)) == 64 * 9 * 16 * (18 + 9 + 16)


def test_a_block_in_a_slot_adds_what_it_costs_alone() -> None:
    image = channels_last(1, 3, 64, 64)
    without, inside = (
        count_macs(create_model("segnext_t", num_classes=19, attention={"stage": name}), image)
        for name in ("none", "self_attention")
    )
    alone = sum(
        self_attention(c, (64 // stride) ** 2) for c, stride in zip((32, 64, 160, 256), (4, 8, 16, 32), strict=True)
    )
    assert inside - without == alone


@pytest.mark.parametrize("backend", ["MATH", "FLASH_ATTENTION"])
@pytest.mark.parametrize("masked", [False, True])
def test_attention_counts_the_same_on_every_backend(backend: str, masked: bool) -> None:
    class Attend(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            mask = torch.ones(10, 10, dtype=torch.bool) if masked else None
            return F.scaled_dot_product_attention(x, x, x, attn_mask=mask)

    with nn.attention.sdpa_kernel(getattr(nn.attention.SDPBackend, backend)):
        assert count_macs(Attend(), torch.rand(2, 4, 10, 8)) == 2 * 4 * 2 * 10 * 10 * 8


class Calls(nn.Module):
    """A module that is one function."""

    def __init__(self, function: object) -> None:
        super().__init__()
        self.function = function

    def forward(self, *inputs: Tensor) -> Tensor:
        return self.function(*inputs)  # type: ignore[operator, no-any-return]


A, B, V, W = torch.rand(2, 3, 4), torch.rand(2, 4, 5), torch.rand(4), torch.rand(6, 4)


@pytest.mark.parametrize(
    ("function", "inputs", "macs"),
    [
        (torch.bmm, (A, B), 2 * 3 * 4 * 5),
        (lambda a, b: torch.einsum("nij,njk->nik", a, b), (A, B), 2 * 3 * 4 * 5),
        (lambda w, v: w @ v, (W, V), 6 * 4),
        (torch.dot, (V, V), 4),
        (torch.outer, (V, V), 0),  # element by element
        (torch.addmv, (torch.rand(6), W, V), 6 * 4),
        (torch.addbmm, (torch.rand(3, 5), A, B), 2 * 3 * 4 * 5),
        (lambda x: F.linear(x, W), (channels_last(1, 4, 5, 7).permute(0, 2, 3, 1),), 35 * 4 * 6),
        (lambda x: F.conv_transpose2d(x, torch.ones(4, 2, 3, 3)), (torch.rand(1, 4, 5, 5),), 25 * 9 * 4 * 2),
        (lambda x: F.conv1d(x, torch.ones(6, 2, 3), groups=2), (torch.rand(1, 4, 9),), 7 * 6 * 2 * 3),
        (nn.Bilinear(3, 4, 5), (torch.rand(2, 3), torch.rand(2, 4)), 2 * 5 * (3 * 4 + 4)),
        (lambda x: F.grid_sample(x, torch.zeros(1, 5, 5, 2), align_corners=False), (torch.rand(1, 4, 9, 9),), 0),
    ],
)
def test_operators(function: object, inputs: tuple[Tensor, ...], macs: int) -> None:
    assert count_macs(Calls(function), *inputs) == macs


def test_pytorchs_fused_transformer_layers_are_counted() -> None:
    tokens, width = 10, 16
    attention = tokens * 4 * width**2 + 2 * tokens**2 * width
    layer = nn.TransformerEncoderLayer(width, 2, 4 * width, batch_first=True)
    assert count_macs(layer, torch.rand(1, tokens, width)) == attention + tokens * 8 * width**2
    x = torch.rand(1, tokens, width)
    assert count_macs(nn.MultiheadAttention(width, 2, batch_first=True), x, x, x) == attention


def test_a_custom_function_and_a_compiled_module_are_counted() -> None:
    class Product(torch.autograd.Function):
        @staticmethod
        def forward(ctx: object, x: Tensor, y: Tensor) -> Tensor:
            return x @ y

    assert count_macs(Calls(Product.apply), A, B) == 2 * 3 * 4 * 5
    linear = nn.Linear(4, 6)
    linear.compile()
    assert count_macs(linear, V[None]) == 24


def test_counting_restores_the_mode_of_every_part() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)).train()
    network[1].eval()
    count_macs(network, torch.rand(1, 3, 4, 4))
    assert [part.training for part in network.modules()] == [True, True, False]
