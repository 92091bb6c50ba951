"""Blocks against somebody else's module with the same weights, or against the paper's formula written out plainly."""

from __future__ import annotations

import math
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from segmentation_models_pytorch.base.modules import SCSEModule
from timm.layers import EcaModule, SEModule
from timm.layers.cbam import ChannelAttn, SpatialAttn
from timm.layers.coord_attn import CoordAttn
from timm.layers.global_context import GlobalContext as TimmGlobalContext
from torch import Tensor, nn
from torchvision.ops import DeformConv2d

from foveate.plugins.attention.cbam import ChannelGate, SpatialGate
from foveate.plugins.attention.coordinate import CoordinateAttention
from foveate.plugins.attention.deformable import DeformableConv
from foveate.plugins.attention.eca import EfficientChannelAttention
from foveate.plugins.attention.gc import GlobalContext
from foveate.plugins.attention.hamburger import EVAL_STEPS, Hamburger
from foveate.plugins.attention.lka import LargeKernelAttention
from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.attention.residual import ResidualAttention
from foveate.plugins.attention.scse import SpatialChannelExcitation
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.attention.self_attention import SelfAttention
from foveate.plugins.attention.simam import SimpleAttention
from foveate.plugins.attention.stn import SpatialTransformer
from foveate.plugins.attention.strip_pooling import StripPooling

Jitter = Callable[[nn.Module], nn.Module]
Pairs = dict[str, str]


def copy_weights(source: nn.Module, target: nn.Module, names: Pairs) -> None:
    """Load each of the target's tensors from the source's of that name, where `names` maps prefixes."""
    own = target.state_dict()
    for mine, theirs in names.items():
        for key, tensor in source.state_dict().items():
            if key.startswith(f"{theirs}."):
                own[mine + key.removeprefix(theirs)] = tensor
    target.load_state_dict({key: tensor.reshape(target.state_dict()[key].shape) for key, tensor in own.items()})


def move_statistics(module: nn.Module) -> None:
    """Give batch norms means and variances other than 0 and 1."""
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean = torch.randn(layer.num_features)
            layer.running_var = torch.rand(layer.num_features) + 0.5


def timm_se() -> tuple[nn.Module, nn.Module, Pairs]:
    return SEModule(128, rd_channels=8), SqueezeExcitation(128), {"fc1": "fc1", "fc2": "fc2"}


def timm_eca() -> tuple[nn.Module, nn.Module, Pairs]:
    return EcaModule(channels=128), EfficientChannelAttention(128), {"conv": "conv"}


def timm_channel() -> tuple[nn.Module, nn.Module, Pairs]:
    theirs = ChannelAttn(128, mlp_bias=True)
    return theirs, ChannelGate(128), {"mlp.0": "fc1", "mlp.2": "fc2"}


def timm_spatial() -> tuple[nn.Module, nn.Module, Pairs]:
    theirs, ours = SpatialAttn(), SpatialGate(128)
    ours.conv.weight.data = theirs.conv.conv.weight.data.flip(1)  # timm takes the average first
    return theirs, ours, {"norm": "conv.bn"}


def smp_scse() -> tuple[nn.Module, nn.Module, Pairs]:
    ours = SpatialChannelExcitation(128, reduction=16)
    return SCSEModule(128), ours, {"fc1": "cSE.1", "fc2": "cSE.3", "conv": "sSE.0"}


def timm_coordinate() -> tuple[nn.Module, nn.Module, Pairs]:
    theirs = CoordAttn(128, rd_channels=8, bias=True)
    theirs.conv1.bias = None  # ours has none: the norm cancels it
    return theirs, CoordinateAttention(128), {"norm": "bn1"} | {k: k for k in ("conv1", "conv_h", "conv_w")}


def timm_context() -> tuple[nn.Module, nn.Module, Pairs]:
    theirs = TimmGlobalContext(128, fuse_add=True, fuse_scale=False, rd_ratio=1 / 16)
    nn.init.normal_(theirs.mlp_add.fc2.weight)
    names = {"mask": "conv_attn", "fc1": "mlp_add.fc1", "norm": "mlp_add.norm", "fc2": "mlp_add.fc2"}
    theirs.conv_attn.bias = None  # ours has none: the softmax cancels it
    theirs.mlp_add.norm.eps = 1e-5  # as PyTorch's and the authors'; timm's is 1e-6
    return theirs, GlobalContext(128), names


@pytest.mark.parametrize(
    "pair",
    [timm_se, timm_eca, timm_channel, timm_spatial, smp_scse, timm_coordinate, timm_context],
    ids=lambda p: p.__name__,
)
def test_another_librarys_module_gives_the_same_numbers(
    pair: Callable[[], tuple[nn.Module, nn.Module, Pairs]], jitter: Jitter
) -> None:
    theirs, ours, names = pair()
    for layer in theirs.modules():
        if isinstance(layer, nn.BatchNorm2d | nn.LayerNorm):
            jitter(layer)
    move_statistics(theirs)
    copy_weights(theirs, ours, names)
    x = torch.randn(2, 128, 7, 5)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("channels", [1, 4, 8, 31, 32, 64, 127, 128, 160, 512, 2048])
def test_ecas_kernel_is_as_wide_as_timms(channels: int) -> None:
    assert EfficientChannelAttention(channels).conv.kernel_size == EcaModule(channels=channels).conv.kernel_size


def test_simam_is_the_closed_form_of_the_paper() -> None:
    x = torch.randn(1, 2, 3, 4, dtype=torch.float64)
    expected = torch.empty_like(x)
    for c in range(2):
        values = x[0, c].flatten().tolist()
        mean = sum(values) / 12
        variance = sum((v - mean) ** 2 for v in values) / 11
        scaled = [v / (1 + math.exp(-((v - mean) ** 2 / (4 * (variance + 0.1)) + 0.5))) for v in values]
        expected[0, c] = torch.tensor(scaled, dtype=torch.float64).view(3, 4)
    torch.testing.assert_close(SimpleAttention(2, regularisation=0.1)(x), expected)


def test_simam_survives_float16_features_whose_squares_do_not() -> None:
    x = torch.full((1, 4, 3, 3), 1000.0)
    x[:, :, 0, 0] = -1000
    torch.testing.assert_close(SimpleAttention(4)(x.half()).float(), SimpleAttention(4)(x), rtol=2e-3, atol=0)


def batch_norm(x: Tensor, norm: nn.BatchNorm2d) -> Tensor:
    """What a batch norm answers at evaluation."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    mean, var, weight, bias = (
        v.detach()[:, None, None] for v in (norm.running_mean, norm.running_var, norm.weight, norm.bias)
    )
    return (x - mean) / (var + norm.eps).sqrt() * weight + bias


def depthwise(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """A depthwise convolution as a sum of shifted maps."""
    (tall, wide), dilation = conv.kernel_size, conv.dilation[0]
    height, width = x.shape[2:]
    down, across = dilation * (tall // 2), dilation * (wide // 2)
    padded = F.pad(x, (across, across, down, down))
    total = torch.zeros_like(x) + conv.bias.detach().view(1, -1, 1, 1)
    for i, j in cells(tall, wide):
        part = padded[:, :, dilation * i : dilation * i + height, dilation * j : dilation * j + width]
        total += part * conv.weight.detach()[:, 0, i, j].view(1, -1, 1, 1)
    return total


def mix(x: Tensor, conv: nn.Conv2d) -> Tensor:
    """A 1 x 1 convolution."""
    return torch.einsum("oi,bihw->bohw", conv.weight.detach()[:, :, 0, 0], x) + conv.bias.detach().view(1, -1, 1, 1)


def test_large_kernel_attention_is_what_the_paper_says(jitter: Jitter) -> None:
    block = jitter(LargeKernelAttention(4)).double()
    x = torch.randn(2, 4, 12, 23, dtype=torch.float64)
    assert (block.conv0.kernel_size, block.conv_spatial.kernel_size, block.conv_spatial.dilation[0]) == (
        (5, 5),
        (7, 7),
        3,
    )
    gate = mix(depthwise(depthwise(x, block.conv0), block.conv_spatial), block.conv1)
    torch.testing.assert_close(block(x), gate * x)


def test_multi_scale_attention_is_what_the_paper_says(jitter: Jitter) -> None:
    block = jitter(MultiScaleConvAttention(4)).double()
    x = torch.randn(2, 4, 12, 23, dtype=torch.float64)
    near = depthwise(x, block.conv0)
    strips = [(block.conv0_1, block.conv0_2), (block.conv1_1, block.conv1_2), (block.conv2_1, block.conv2_2)]
    assert [(a.kernel_size, b.kernel_size) for a, b in strips] == [((1, n), (n, 1)) for n in (7, 11, 21)]
    summed = near + sum(depthwise(depthwise(near, across), down) for across, down in strips)
    torch.testing.assert_close(block(x), mix(summed, block.conv3) * x)


def test_strip_pooling_is_what_the_paper_says(jitter: Jitter) -> None:
    block = StripPooling(4)
    move_statistics(block)
    jitter(block).eval().double()
    x = torch.randn(2, 4, 5, 6, dtype=torch.float64)
    rows, columns = F.pad(x.mean(3), (1, 1)), F.pad(x.mean(2), (1, 1))
    by_row = sum(torch.einsum("oi,bih->boh", block.conv_h.weight[:, :, k, 0], rows[:, :, k : k + 5]) for k in range(3))
    by_column = sum(
        torch.einsum("oi,biw->bow", block.conv_w.weight[:, :, 0, k], columns[:, :, k : k + 6]) for k in range(3)
    )
    summed = batch_norm(by_row[..., None], block.norm_h) + batch_norm(by_column[:, :, None], block.norm_w)
    logits = torch.einsum("oi,bihw->bohw", block.fuse.weight[:, :, 0, 0], summed.clamp(min=0))
    torch.testing.assert_close(block(x), x * torch.sigmoid(logits + block.fuse.bias[:, None, None]))


def test_residual_attention_is_one_plus_the_mask(jitter: Jitter) -> None:
    block = ResidualAttention(4, depth=2)
    move_statistics(block)
    jitter(block).eval().double()
    x = torch.randn(2, 4, 8, 12, dtype=torch.float64)

    def convolve(x: Tensor, layers: nn.Module) -> Tensor:
        norms_and_convs = [layer for layer in layers.children() if not isinstance(layer, nn.ReLU)]
        for norm, conv in zip(norms_and_convs[::2], norms_and_convs[1::2], strict=True):
            x = F.conv2d(batch_norm(x, norm).clamp(min=0), conv.weight, conv.bias, padding=conv.kernel_size[0] // 2)
        return x

    def unit(x: Tensor, module: nn.Module) -> Tensor:
        return x + convolve(x, module.body)

    half = unit(F.max_pool2d(x, 3, 2, 1), block.down[0])
    quarter = unit(F.max_pool2d(half, 3, 2, 1), block.down[1])
    back = unit(F.interpolate(quarter, scale_factor=2, mode="bilinear") + half, block.up[0])
    mask = torch.sigmoid(convolve(F.interpolate(back, scale_factor=2, mode="bilinear"), block.mask))
    torch.testing.assert_close(block(x), (1 + mask) * x)


def sample(plane: Tensor, row: float, column: float) -> Tensor:
    """A plane (C, H, W) between its cells, 0 outside."""
    height, width = plane.shape[1:]
    total = torch.zeros(plane.shape[0], dtype=plane.dtype)
    for i in (math.floor(row), math.floor(row) + 1):
        for j in (math.floor(column), math.floor(column) + 1):
            if 0 <= i < height and 0 <= j < width:
                total += (1 - abs(row - i)) * (1 - abs(column - j)) * plane[:, i, j]
    return total


def cells(height: int, width: int) -> Iterator[tuple[int, int]]:
    return ((i, j) for i in range(height) for j in range(width))


@pytest.mark.parametrize("modulated", [False, True])
def test_deformable_convolution_samples_where_the_offsets_say(modulated: bool, jitter: Jitter) -> None:
    block = jitter(DeformableConv(2, dilation=2, modulated=modulated)).double()
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64)
    with torch.no_grad():
        offset = block.offset(x)[0]
        weights = torch.sigmoid(block.modulation(x))[0] if modulated else torch.ones(9, 5, 4, dtype=torch.float64)
        expected = block.conv.bias.view(2, 1, 1).expand(2, 5, 4).clone()
        for i, j in cells(5, 4):
            for tap, (di, dj) in enumerate(cells(3, 3)):
                down, across = offset[2 * tap, i, j].item(), offset[2 * tap + 1, i, j].item()
                seen = sample(x[0], i + 2 * (di - 1) + down, j + 2 * (dj - 1) + across)
                expected[:, i, j] += weights[tap, i, j] * (block.conv.weight[:, :, di, dj] @ seen)
        torch.testing.assert_close(block(x)[0], expected)


@pytest.mark.parametrize("modulated", [False, True])
def test_torchvisions_deformable_convolution_gives_the_same_numbers(modulated: bool, jitter: Jitter) -> None:
    block = jitter(DeformableConv(8, kernel=5, modulated=modulated))
    theirs = DeformConv2d(8, 8, 5, padding=2)
    theirs.load_state_dict(block.conv.state_dict())
    x = torch.randn(2, 8, 9, 7)
    mask = block.modulation(x).sigmoid() if modulated else None
    torch.testing.assert_close(block(x), theirs(x, block.offset(x), mask), atol=1e-6, rtol=1e-5)


def test_deformable_convolution_starts_as_the_ordinary_one() -> None:
    block = DeformableConv(8)
    x = torch.randn(2, 8, 9, 7)
    torch.testing.assert_close(block(x), block.conv(x), atol=1e-6, rtol=1e-5)


def test_the_spatial_transformer_samples_an_affine_grid() -> None:
    block = SpatialTransformer(2).double()
    theta = torch.tensor([0.8, 0.3, 0.1, -0.2, 1.1, -0.15], dtype=torch.float64)
    block.theta.bias.data = theta
    a, b, c, d, e, f = theta.tolist()
    x = torch.randn(1, 2, 5, 4, dtype=torch.float64)
    expected = torch.zeros_like(x)
    for i, j in cells(5, 4):
        u, v = (2 * j + 1) / 4 - 1, (2 * i + 1) / 5 - 1  # the cell's centre; -1 and 1 are the map's edges
        column, row = ((a * u + b * v + c + 1) * 4 - 1) / 2, ((d * u + e * v + f + 1) * 5 - 1) / 2
        expected[0, :, i, j] = sample(x[0], row, column)
    torch.testing.assert_close(block(x), expected)


def test_the_spatial_transformer_chooses_for_each_sample(jitter: Jitter) -> None:
    block = jitter(SpatialTransformer(3))
    x = torch.rand(2, 3, 32, 32)
    hidden = block.localise(x)
    assert not torch.allclose(block.theta(hidden[:1]), block.theta(hidden[1:]))


def test_hamburger_adds_the_rebuilt_features(jitter: Jitter) -> None:
    block = Hamburger(6, rank=3)
    move_statistics(block)
    jitter(block).eval()
    x = torch.randn(1, 6, 4, 5)
    with torch.no_grad():
        data = F.conv2d(x, block.ham_in.weight, block.ham_in.bias).clamp(min=0)[0].flatten(1).double().numpy()
        dictionary = block.ham.bases[0].double().numpy()
        codes = np.exp(dictionary.T @ data)
        codes /= codes.sum(0)
        for _ in range(EVAL_STEPS):
            codes *= (dictionary.T @ data) / (dictionary.T @ dictionary @ codes + 1e-6)
            dictionary = dictionary * (data @ codes.T) / (dictionary @ codes @ codes.T + 1e-6)
        codes *= (dictionary.T @ data) / (dictionary.T @ dictionary @ codes + 1e-6)
        rebuilt = torch.from_numpy(dictionary @ codes).float().view(1, 6, 4, 5)
        expected = x + batch_norm(F.conv2d(rebuilt, block.ham_out.weight), block.norm)
        torch.testing.assert_close(block(x), expected, atol=1e-5, rtol=1e-5)


def pytorchs_attention(block: SelfAttention) -> nn.MultiheadAttention:
    """PyTorch's module with the block's weights."""
    theirs = nn.MultiheadAttention(block.proj.in_features, block.heads, batch_first=True)
    theirs.in_proj_weight.data, theirs.in_proj_bias.data = block.qkv.weight.data, block.qkv.bias.data
    theirs.out_proj.load_state_dict(block.proj.state_dict())
    return theirs


@pytest.mark.parametrize("heads", [1, 4])
def test_pytorchs_multi_head_attention_gives_the_same_numbers(heads: int, jitter: Jitter) -> None:
    block = jitter(SelfAttention(16, heads=heads))
    block.qkv.weight.data *= 20  # far from uniform
    x = torch.randn(2, 16, 5, 7)
    tokens = x.flatten(2).mT
    added, _ = pytorchs_attention(block)(tokens, tokens, tokens, need_weights=False)
    torch.testing.assert_close(block(x), x + added.mT.view(x.shape), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("size", "tall", "wide"), [((8, 8), 4, 4), ((7, 9), 4, 3), ((1, 17), 1, 4), ((5, 4), 3, 4)])
def test_each_window_looks_at_itself_alone(size: tuple[int, int], tall: int, wide: int, jitter: Jitter) -> None:
    block = jitter(SelfAttention(16, window=4))
    block.qkv.weight.data *= 20
    whole = SelfAttention(16, window=None)
    whole.load_state_dict(block.state_dict())
    x = torch.randn(2, 16, *size)
    rows = [torch.cat([whole(part) for part in row.split(wide, dim=3)], dim=3) for row in x.split(tall, dim=2)]
    torch.testing.assert_close(block(x), torch.cat(rows, dim=2), atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "longest"), [((64, 64), 4096), ((32, 128), 4096), ((256, 256), 4096), ((65, 64), 2112)]
)
def test_a_large_map_is_never_compared_with_all_of_itself(
    size: tuple[int, int], longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = []
    monkeypatch.setattr(
        F, "scaled_dot_product_attention", lambda q, k, v, attn_mask: (lengths.append(k.shape[2]), v)[1]
    )
    SelfAttention(8)(torch.randn(1, 8, *size))
    assert lengths == [longest]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from /proc")
def test_training_on_a_map_of_65536_places_takes_less_than_2_gb() -> None:
    program = """
import pathlib, torch
from foveate.plugins.attention.self_attention import SelfAttention
peak = lambda: int(pathlib.Path("/proc/self/status").read_text().split("VmHWM:")[1].split()[0])
block, x = SelfAttention(64), torch.randn(1, 64, 256, 256, requires_grad=True)
before = peak()
block(x).square().mean().backward()
print(peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert 0 < int(done.stdout) < 2 * 1024**2  # kilobytes


@pytest.mark.parametrize(("channels", "heads"), [(3, 1), (8, 1), (24, 3), (32, 4), (160, 8), (20, 2)])
def test_the_default_heads_divide_the_channels(channels: int, heads: int) -> None:
    assert SelfAttention(channels).heads == heads
