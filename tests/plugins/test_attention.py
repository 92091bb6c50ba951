"""What holds for every offered block, and the numbers of those that have a published one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from foveate.plugins.attention.cbam import ConvBlockAttention, SpatialGate
from foveate.plugins.attention.checks import reduced_width
from foveate.plugins.attention.deformable import DeformableConv
from foveate.plugins.attention.eca import EfficientChannelAttention, kernel_for
from foveate.plugins.attention.hamburger import Hamburger
from foveate.plugins.attention.init import starts_as_identity
from foveate.plugins.attention.lka import LargeKernelAttention
from foveate.plugins.attention.msca import MultiScaleConvAttention
from foveate.plugins.attention.residual import ResidualAttention
from foveate.plugins.attention.se import SqueezeExcitation
from foveate.plugins.attention.self_attention import SelfAttention
from foveate.plugins.attention.simam import SimpleAttention
from foveate.plugins.attention.stn import SpatialTransformer
from foveate.plugins.attention.strip_pooling import StripPooling
from foveate.plugins.blocks import create_block
from foveate.plugins.manager import installed_plugins
from foveate.plugins.records import Block

Jitter = Callable[[nn.Module], nn.Module]
OFFERS = {f"{o.provider.distribution}:{o.record.name}": o.record for o in installed_plugins().of_kind(Block)}
SIZES = [(1, 1), (1, 7), (2, 1), (13, 17), (32, 24)]


@pytest.fixture(params=OFFERS)
def channels(request: pytest.FixtureRequest) -> int:
    return 16 * OFFERS[request.param].multiple_of


@pytest.fixture
def block(request: pytest.FixtureRequest, channels: int, jitter: Jitter) -> nn.Module:
    """Each offered block in turn."""
    return jitter(create_block(request.node.callspec.params["channels"], channels)).eval()


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_shape_and_dtype_stay(block: nn.Module, channels: int, size: tuple[int, int], dtype: torch.dtype) -> None:
    x = torch.randn(2, channels, *size, dtype=dtype)
    out = block.to(dtype)(x)
    assert (out.shape, out.dtype) == (x.shape, x.dtype)
    assert out.isfinite().all()


@pytest.mark.parametrize("shape", [(2, 1, 1), (1, 1, 2), (1, 7, 1)], ids=str)
def test_training_takes_two_positions(block: nn.Module, channels: int, shape: tuple[int, int, int]) -> None:
    batch, height, width = shape
    x = torch.randn(batch, channels, height, width, requires_grad=True)
    out = block.train()(x)
    out.square().sum().backward()
    assert out.shape == x.shape
    assert all(p.grad is not None and p.grad.isfinite().all() for p in block.parameters())


@pytest.mark.parametrize("name", OFFERS)
@pytest.mark.parametrize("times", [1, 3, 8, 20])
def test_any_width_the_record_allows_will_do(name: str, times: int) -> None:
    x = torch.randn(2, times * OFFERS[name].multiple_of, 6, 5)
    assert create_block(name, x.shape[1])(x).shape == x.shape


@pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format], ids=str)
def test_the_memory_layout_stays(block: nn.Module, channels: int, layout: torch.memory_format) -> None:
    x = torch.randn(2, channels, 6, 9)
    out = block.to(memory_format=layout)(x.contiguous(memory_format=layout))  # type: ignore[call-overload]
    assert out.is_contiguous(memory_format=layout)
    torch.testing.assert_close(out, block(x), atol=1e-5, rtol=1e-4)


def test_export_gives_the_same_numbers(block: nn.Module, channels: int) -> None:
    x = torch.randn(2, channels, 6, 9)
    exported = torch.export.export(block, (x,)).module()
    torch.testing.assert_close(exported(x), block(x))


@pytest.mark.parametrize("training", [True, False])
def test_gradients_reach_the_input_and_every_parameter(block: nn.Module, channels: int, training: bool) -> None:
    x = torch.randn(2, channels, 9, 23, requires_grad=True)
    out = block.train(training)(x)
    (out * torch.randn(out.shape)).sum().backward()
    for name, tensor in [("input", x), *block.named_parameters()]:
        assert tensor.grad is not None, name
        assert tensor.grad.isfinite().all(), name
        assert tensor.grad.any(), name


def test_evaluation_repeats_and_leaves_the_input_alone(block: nn.Module, channels: int) -> None:
    x = torch.randn(2, channels, 11, 9)
    before = x.clone()
    assert torch.equal(block(x), block(x))
    assert torch.equal(x, before)


def test_samples_do_not_see_each_other(block: nn.Module, channels: int) -> None:
    x = torch.randn(3, channels, 8, 9)
    torch.testing.assert_close(block(x)[1:2], block(x[1:2]))


def test_the_state_dict_carries_everything(request: pytest.FixtureRequest, block: nn.Module, channels: int) -> None:
    twin = create_block(request.node.callspec.params["channels"], channels).eval()
    twin.load_state_dict(block.state_dict())
    x = torch.randn(1, channels, 9, 8)
    assert torch.equal(twin(x), block(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_bfloat16_autocast_keeps_the_dtype_and_is_close(block: nn.Module, channels: int, dtype: torch.dtype) -> None:
    x = torch.randn(2, channels, 9, 23).to(dtype)
    exact = block(x.float())
    with torch.autocast("cpu", torch.bfloat16):
        out = block(x)
    assert out.dtype == dtype
    torch.testing.assert_close(out.float(), exact, atol=0.05 * exact.abs().max().item(), rtol=0.05)


def test_bfloat16_autocast_trains(block: nn.Module, channels: int) -> None:
    x = torch.randn(2, channels, 9, 23, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        block.train()(x).float().pow(2).mean().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() and p.grad.dtype == p.dtype for p in block.parameters())


def load_vector(path: Path, block: nn.Module, rename: Callable[[str], str] = lambda key: key) -> tuple[Tensor, Tensor]:
    """Give a block the parameters of a vector; its input and the published module's output."""
    stored = {key: torch.from_numpy(array) for key, array in np.load(path).items()}
    state = {rename(key[3:]): tensor for key, tensor in stored.items() if key.startswith("sd/")}
    own = block.state_dict()
    block.load_state_dict({key: tensor.reshape(own[key].shape) for key, tensor in state.items()})
    return stored["input"], stored["out0"]


@pytest.mark.parametrize(
    ("file", "build"),
    [
        ("segnext_msca_attention_dim8.npz", lambda: MultiScaleConvAttention(8)),
        ("van_lka_dim8.npz", lambda: LargeKernelAttention(8)),
        ("se_moskomule_c16_r4.npz", lambda: SqueezeExcitation(16, reduction=4, bias=False)),
        ("eca_official_c16_k3.npz", lambda: EfficientChannelAttention(16)),
    ],
    ids=["msca", "lka", "se", "eca"],
)
def test_the_published_module_gives_the_same_numbers(vectors: Path, file: str, build: Callable[[], nn.Module]) -> None:
    block = build().eval()
    x, expected = load_vector(vectors / file, block, lambda key: key.replace("fc.0.", "fc1.").replace("fc.2.", "fc2."))
    torch.testing.assert_close(block(x), expected, atol=1e-6, rtol=1e-5)


def test_cbam_is_what_the_paper_says(jitter: Jitter) -> None:
    block = jitter(ConvBlockAttention(16, kernel=3)).eval().double()
    x = torch.randn(2, 16, 5, 6, dtype=torch.float64)
    p = {name: value.detach() for name, value in block.state_dict().items()}

    def shared_mlp(pooled: Tensor) -> Tensor:
        hidden = pooled @ p["channel.mlp.0.weight"][:, :, 0, 0].T + p["channel.mlp.0.bias"]
        out: Tensor = hidden.clamp(min=0) @ p["channel.mlp.2.weight"][:, :, 0, 0].T + p["channel.mlp.2.bias"]
        return out

    by_channel = torch.sigmoid(shared_mlp(x.mean((2, 3))) + shared_mlp(x.flatten(2).max(2).values))
    x1 = x * by_channel[:, :, None, None]
    planes = nn.functional.pad(torch.stack([x1.max(1).values, x1.mean(1)], 1), (1, 1, 1, 1))
    summed = sum(
        (planes[:, :, i : i + 5, j : j + 6] * p["spatial.conv.weight"][0, :, i, j].view(1, 2, 1, 1)).sum(1)
        for i in range(3)
        for j in range(3)
    )
    scale = p["spatial.norm.weight"] / (p["spatial.norm.running_var"] + 1e-5).sqrt()
    by_place = torch.sigmoid((summed - p["spatial.norm.running_mean"]) * scale + p["spatial.norm.bias"])
    torch.testing.assert_close(block(x), x1 * by_place[:, None])


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ConvBlockAttention(8, kernel=4), "odd and at least 1, not 4"),
        (lambda: LargeKernelAttention(8, kernel=0), "at least 1, not 0"),
        (lambda: SqueezeExcitation(8, reduction=0), "at least 1, not 0"),
        (lambda: MultiScaleConvAttention(8, kernels=(6,)), "odd sides, not 1 x 6"),
        (lambda: EfficientChannelAttention(8, kernel=4), "kernel is odd and at least 1, not 4"),
        (lambda: SpatialGate(8, kernel=-1), "kernel is odd and at least 1, not -1"),
        (lambda: StripPooling(8, kernel=2), "kernel is odd and at least 1, not 2"),
        (lambda: DeformableConv(8, kernel=2), "kernel is odd and at least 1, not 2"),
        (lambda: DeformableConv(8, dilation=0), "dilation is at least 1, not 0"),
        (lambda: ResidualAttention(8, depth=0), "depth is at least 1, not 0"),
        (lambda: SimpleAttention(8, regularisation=0.0), "regularisation is positive, not 0"),
        (lambda: SpatialTransformer(8, width=0), "width is at least 1, not 0"),
        (lambda: Hamburger(8, rank=0), "rank is at least 1, not 0"),
        (lambda: SelfAttention(12, heads=8), "8 heads do not divide 12 channels; 1, 2, 3, 4, 6, 12 do"),
        (lambda: SelfAttention(8, heads=0), "heads is at least 1, not 0"),
        (lambda: SelfAttention(8, window=0), "window is at least 1, not 0"),
        (lambda: SqueezeExcitation(8, bias=False, init="identity"), "needs bias: true"),
        (lambda: starts_as_identity("zero"), "init is 'default' or 'identity', not 'zero'"),
    ],
)
def test_an_impossible_option_says_what_is_possible(build: Callable[[], nn.Module], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_lka_stands_in_for_other_kernels() -> None:
    block = LargeKernelAttention(4, kernel=35, dilation=5)
    assert (block.conv0.kernel_size, block.conv_spatial.kernel_size) == ((9, 9), (7, 7))


@pytest.mark.parametrize(
    ("channels", "reduction", "width"),
    [(256, None, 16), (64, None, 8), (16, None, 8), (4, None, 4), (16, 4, 4), (4, 16, 1)],
)
def test_a_squeezed_layer_keeps_eight_channels_unless_told(channels: int, reduction: int | None, width: int) -> None:
    assert reduced_width(channels, reduction) == width


@pytest.mark.parametrize(("channels", "kernel"), [(1, 3), (64, 3), (128, 5), (256, 5), (2048, 7)])
def test_ecas_kernel_follows_the_width(channels: int, kernel: int) -> None:
    assert kernel_for(channels) == kernel


@pytest.mark.parametrize("side", [1, 2, 4])
def test_stn_learns_in_bfloat16_on_small_maps_too(side: int) -> None:
    """PyTorch 2.14 fills weight gradients of a strided bfloat16 convolution on one pixel with what lay in memory."""
    torch.manual_seed(0)
    block = create_block("stn", 64).train()
    torch.nn.init.normal_(block.get_submodule("theta").weight, std=0.1)
    x = torch.randn(8, 64, side, side)
    gradients = []
    for enabled in (True, False):
        stale = [torch.full((2**18,), torch.nan) for _ in range(3)]
        del stale
        block.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            out = block(x)
        out.float().square().sum().backward()
        gradients.append([p.grad for name, p in block.named_parameters() if name.startswith("localise")])
    for given, wanted in zip(*gradients, strict=True):
        assert (given - wanted).abs().max() <= 0.3 * wanted.abs().max() + 1e-3
