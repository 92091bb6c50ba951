"""GELU by a kernel against PyTorch's."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from foveate.plugins.ops.gelu import GELU
from foveate.plugins.ops.native.compiled import kernels

needs_kernels = pytest.mark.skipif(kernels() is None, reason="no C++ compiler, or FOVEATE_NATIVE=0")


@needs_kernels
@pytest.mark.parametrize("shape", [(1,), (3, 17), (2, 197, 48), (2, 24, 5, 7)], ids=str)
@pytest.mark.parametrize("channels_last", [False, True])
def test_outputs_and_gradients_are_as_near_as_pytorchs(shape: tuple[int, ...], channels_last: bool) -> None:
    x = (3 * torch.randn(shape)).bfloat16()
    if channels_last and x.ndim == 4:
        x = x.contiguous(memory_format=torch.channels_last)
    exact = x.double().requires_grad_()
    x.requires_grad_()
    grad = torch.randn(shape).bfloat16()
    out = GELU()(x)
    assert type(out.grad_fn).__name__ == "_KernelBackward"
    torch.testing.assert_close(out.double(), F.gelu(exact), rtol=0.005, atol=2e-5)
    (got,), (wanted,) = torch.autograd.grad(out, x, grad), torch.autograd.grad(F.gelu(exact), exact, grad.double())
    torch.testing.assert_close(got.double(), wanted, rtol=0.005, atol=2e-4)


@needs_kernels
def test_far_away_it_is_the_identity_or_nothing() -> None:
    x = torch.tensor([-1000.0, -6.0, 0.0, 6.0, 1000.0]).bfloat16()
    torch.testing.assert_close(GELU()(x).float(), torch.tensor([0.0, 0.0, 0.0, 6.0, 1000.0]), rtol=0, atol=2e-3)


def test_in_float32_it_is_pytorchs() -> None:
    x = torch.randn(50)
    torch.testing.assert_close(GELU()(x), F.gelu(x), rtol=0, atol=0)
