"""Deformable convolution's native kernels against torchvision's operator in double precision."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torchvision.ops import deform_conv2d

from foveate.plugins.ops import deformable
from foveate.plugins.ops.deformable import deformable_conv
from foveate.plugins.ops.native.compiled import kernels

needs_kernels = pytest.mark.skipif(kernels() is None, reason="the native kernels are not available here")
Given = tuple[Tensor, Tensor, Tensor, Tensor | None, Tensor | None]


def make(size: tuple[int, int, int, int], kernel: int, spread: float, *, bias: bool, modulated: bool) -> Given:
    """A map, offsets, weight, bias and modulation; offsets of several positions leave the map."""
    batch, channels, height, width = size
    generator = torch.Generator().manual_seed(sum(size))

    def random(*sizes: int) -> Tensor:
        return torch.randn(*sizes, generator=generator)

    return (
        random(*size),
        spread * random(batch, 2 * kernel**2, height, width),
        random(16, channels, kernel, kernel) / (kernel * channels**0.5),
        random(16) if bias else None,
        random(batch, kernel**2, height, width).sigmoid() if modulated else None,
    )


def learn(given: Given, *, reference: bool, dilation: int = 1) -> list[Tensor]:
    """Output and gradients; the reference in double precision by torchvision's operator."""
    dtype = torch.float64 if reference else torch.float32
    leaves = [None if one is None else one.detach().to(dtype).requires_grad_() for one in given]
    x, offset, weight, bias, modulation = leaves
    padding = dilation * (given[2].shape[2] // 2)
    if reference:
        out = deform_conv2d(x, offset, weight, bias, padding=padding, dilation=dilation, mask=modulation)
    else:
        out = deformable_conv(x, offset, weight, bias, modulation, (padding, padding), (dilation, dilation))
    grad = torch.linspace(-1, 1, out.numel(), dtype=dtype).view_as(out)
    (out * grad).sum().backward()
    return [out.detach(), *(one.grad for one in leaves if one is not None and one.grad is not None)]


@needs_kernels
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize(
    ("size", "kernel", "dilation", "spread"),
    [
        ((2, 16, 7, 9), 3, 1, 0.5),
        ((1, 40, 11, 5), 3, 2, 3.0),
        ((3, 8, 1, 6), 5, 1, 2.0),
        ((2, 64, 6, 6), 1, 1, 20.0),
    ],
)
@pytest.mark.parametrize(("bias", "modulated"), [(True, False), (False, True)])
def test_output_and_gradients_are_torchvisions(
    size: tuple[int, int, int, int],
    kernel: int,
    dilation: int,
    spread: float,
    bias: bool,
    modulated: bool,
    threads: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)  # what the kernels ask
    given = make(size, kernel, spread, bias=bias, modulated=modulated)
    ours = learn(given, reference=False, dilation=dilation)
    theirs = learn(given, reference=True, dilation=dilation)
    assert len(ours) == len(theirs) == 4 + bias + modulated
    for own, other in zip(ours, theirs, strict=True):
        assert own.shape == other.shape
        torch.testing.assert_close(own.double(), other, rtol=1e-4, atol=2e-5)


@needs_kernels
def test_samples_held_in_parts_give_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    given = make((5, 16, 6, 7), 3, 1.0, bias=True, modulated=True)
    whole = learn(given, reference=False)
    monkeypatch.setattr(deformable, "MOST", 2 * 6 * 7 * 9 * 16)  # two images at a time
    for one, other in zip(learn(given, reference=False), whole, strict=True):
        torch.testing.assert_close(one, other)


@needs_kernels
def test_an_offset_that_is_no_number_is_not_hidden() -> None:
    x, offset, weight, *_ = make((1, 16, 5, 5), 3, 0.0, bias=False, modulated=False)
    offset[0, 4, 2, 3] = torch.nan
    out = deformable_conv(x, offset, weight, None, None, (1, 1), (1, 1))
    assert out[0, :, 2, 3].isnan().all()
    assert out.isnan().sum() == out.shape[1]


@needs_kernels
def test_offsets_beyond_any_map_sample_zeros() -> None:
    x, offset, weight, *_ = make((1, 16, 5, 5), 3, 0.0, bias=False, modulated=False)
    out = deformable_conv(x, offset + 1e30, weight, None, None, (1, 1), (1, 1))
    assert not out.any()


@needs_kernels
def test_the_native_kernels_are_what_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    given = make((1, 16, 5, 5), 3, 1.0, bias=True, modulated=True)
    monkeypatch.setattr(deformable, "deform_conv2d", None)
    learn(given, reference=False)
    narrow = make((1, 12, 5, 5), 3, 1.0, bias=True, modulated=True)
    with pytest.raises(TypeError):
        learn(narrow, reference=False)
