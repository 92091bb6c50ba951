"""Batch norm under autocast against PyTorch's own in float64."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from foveate.plugins.ops.batch_norm import BatchNorm2d, normalise_beside
from foveate.plugins.ops.eager import plain_operators
from foveate.plugins.ops.native.compiled import takes

SHAPES = [(2, 32, 17, 9), (2, 24, 5, 5), (1, 160, 3, 3), (3, 8, 1, 2), (4, 16, 1, 1)]


def autocast() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


def draw(*shape: int, dtype: torch.dtype = torch.float32, mean: float = 1.0) -> Tensor:
    return (torch.randn(shape) * 3 + mean).to(dtype).contiguous(memory_format=torch.channels_last)


def pair(channels: int) -> tuple[BatchNorm2d, nn.BatchNorm2d]:
    """Ours, and PyTorch's own in float64 with the same weights and statistics."""
    ours, plain = BatchNorm2d(channels), nn.BatchNorm2d(channels)
    for parameter in ours.parameters():
        nn.init.normal_(parameter)
    plain.load_state_dict(ours.state_dict())
    return ours, plain.double()


def outcome(norm: nn.BatchNorm2d, x: Tensor, upstream: Tensor) -> list[Tensor]:
    x = x.detach().requires_grad_()
    out = norm(x)
    return [out, *torch.autograd.grad(out, [x, norm.weight, norm.bias], upstream.to(out.dtype))]


@pytest.mark.parametrize("mean", [0.0, 1.0, 300.0])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_output_statistics_and_gradients_are_those_of_float64(
    shape: tuple[int, ...], dtype: torch.dtype, mean: float
) -> None:
    ours, plain = pair(shape[1])
    x, upstream = draw(*shape, dtype=dtype, mean=mean), draw(*shape, mean=0).bfloat16()
    with autocast():
        got = outcome(ours, x, upstream)
    wanted = outcome(plain, x.double(), upstream)
    assert [one.dtype for one in got] == [torch.bfloat16, dtype, torch.float32, torch.float32]
    for one, exact in zip(got, wanted, strict=True):
        rounding = 2**-8 if one.dtype == torch.bfloat16 else 2e-4
        torch.testing.assert_close(one.double(), exact, rtol=rounding, atol=rounding * exact.abs().max().item())
    for one, exact in zip(ours.buffers(), plain.buffers(), strict=True):
        torch.testing.assert_close(one.double(), exact.double(), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("parts", [(1.0, 1.0), (1.0, 0.0), (0.0, 1.0)], ids=["both", "shortcut", "norm"])
def test_the_gradient_of_a_shortcut_beside_it_is_added(parts: tuple[float, float], dtype: torch.dtype) -> None:
    ours, plain = pair(32)
    x, *upstream = (draw(2, 32, 9, 5, dtype=dtype), draw(2, 32, 9, 5).bfloat16(), draw(2, 32, 9, 5).bfloat16())
    gradients = []
    for norm, given in ((ours, x.requires_grad_()), (plain, x.detach().double().requires_grad_())):
        with autocast() if norm is ours else nullcontext():
            both = normalise_beside(norm, given)
            used = [(one * up).sum() * part for one, up, part in zip(both, upstream, parts, strict=True) if part]
            gradients.append(torch.autograd.grad(sum(used), given)[0])
    assert gradients[0].dtype == dtype
    rounding = 2**-7 if dtype == torch.bfloat16 else 1e-3
    torch.testing.assert_close(gradients[0].double(), gradients[1], rtol=rounding, atol=rounding)


def test_a_norm_with_a_hook_is_called() -> None:
    ours, _ = pair(16)
    seen: list[Tensor] = []
    ours.register_forward_hook(lambda module, given, out: seen.append(out))
    with autocast():
        shortcut, out = normalise_beside(ours, x := draw(2, 16, 4, 4))
    assert shortcut is x
    assert seen[0] is out


def test_the_batch_counts_once_where_nothing_is_to_be_counted() -> None:
    ours, _ = pair(16)
    before = [one.clone() for one in ours.buffers()]
    ours.momentum, count = 0.0, ours.num_batches_tracked
    ours.num_batches_tracked = None  # as when a block is recomputed in the backward pass
    with autocast():
        ours(draw(2, 16, 4, 4))
    ours.num_batches_tracked = count
    assert all(torch.equal(one, former) for one, former in zip(ours.buffers(), before, strict=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_evaluation_is_that_of_float64(shape: tuple[int, ...], dtype: torch.dtype) -> None:
    ours, _ = pair(shape[1])
    nn.init.uniform_(ours.running_var, 0.1, 4)
    nn.init.normal_(ours.running_mean)
    exact = nn.BatchNorm2d(shape[1])
    exact.load_state_dict(ours.state_dict())
    x = draw(*shape, dtype=dtype)
    with torch.no_grad(), autocast():
        got, wanted = ours.eval()(x), exact.eval().double()(x.double())
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got.double(), wanted, rtol=2**-8, atol=1e-5)


@pytest.mark.parametrize(
    "what", ["float32", "frozen", "training without gradients", "switched off", "sum of all batches"]
)
def test_elsewhere_it_is_pytorchs_own(what: str) -> None:
    ours, _ = pair(16)
    ours.momentum = None if what == "sum of all batches" else ours.momentum
    plain = nn.BatchNorm2d(16, momentum=ours.momentum)
    plain.load_state_dict(ours.state_dict())
    x = draw(2, 16, 4, 4)
    assert takes(x)
    for norm in (ours, plain):
        norm.train(what != "frozen")
    with (
        nullcontext() if what == "float32" else autocast(),
        torch.set_grad_enabled(what != "training without gradients"),
        plain_operators() if what == "switched off" else nullcontext(),
    ):
        assert torch.equal(ours(x), plain(x))
    for one, other in zip(ours.buffers(), plain.buffers(), strict=True):
        assert torch.equal(one, other)


def test_one_value_per_channel_is_refused_as_by_pytorch() -> None:
    ours, _ = pair(16)
    with autocast(), pytest.raises(ValueError, match="more than 1 value per channel"):
        ours(draw(1, 16, 1, 1))


def test_a_run_of_it_repeats_bit_for_bit() -> None:
    ours, _ = pair(32)
    x, upstream = draw(2, 32, 40, 40), draw(2, 32, 40, 40, mean=0)
    with autocast():
        first, second = outcome(ours, x, upstream), outcome(ours, x, upstream)
    assert all(torch.equal(one, other) for one, other in zip(first, second, strict=True))
