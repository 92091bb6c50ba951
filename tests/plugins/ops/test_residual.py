"""The kernel of a scaled branch against stock operators."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from foveate.plugins.ops.native import residual as native
from foveate.plugins.ops.residual import scaled_residual, scaled_residual_plain


def draw(shape: tuple[int, ...], dtype: torch.dtype = torch.float32) -> Tensor:
    generator = torch.Generator().manual_seed(sum(shape))
    x = torch.randn(shape, generator=generator).to(dtype)
    x = x.contiguous(memory_format=torch.channels_last) if x.ndim == 4 else x
    return x.requires_grad_()


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (20, 30)], ids=str)
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("with_more", [False, True])
@pytest.mark.parametrize("dtypes", sorted(native.TAKEN, key=str), ids=str)
@pytest.mark.parametrize("channels", [5, 24, 32])
def test_outputs_and_gradients_equal_the_plain_ones(
    channels: int, dtypes: tuple[torch.dtype, ...], with_more: bool, rows: int, size: tuple[int, int]
) -> None:
    shape = (3, channels, *size)
    x, branch, more = (draw(shape, dtype) for dtype in dtypes)
    given = [x, branch, draw((rows, channels)), *([more] if with_more else [])]
    weights = torch.randn(shape)
    got = scaled_residual(*given)
    wanted = scaled_residual_plain(*(one.float() for one in given))
    torch.testing.assert_close(got, wanted)
    gradients, plain = (torch.autograd.grad((out * weights).sum(), given) for out in (got, wanted))
    for one, two in zip(gradients, plain, strict=True):
        assert one.dtype == two.dtype
        torch.testing.assert_close(one, two, rtol=1e-2 if one.dtype == torch.bfloat16 else 1e-4, atol=1e-4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("of_scale", [torch.float32, torch.bfloat16], ids=str)
def test_the_output_has_the_dtype_of_pytorchs_operators(dtype: torch.dtype, of_scale: torch.dtype) -> None:
    shape = (2, 32, 5, 7)
    given = [draw(shape, dtype), draw(shape, dtype), draw((1, 32), of_scale), draw(shape, dtype)]
    assert scaled_residual(*given).dtype == scaled_residual_plain(*given).dtype


def test_no_tensor_is_narrower_than_the_branch() -> None:
    shape = (3, 32, 5, 7)
    assert not native.takes(draw(shape, torch.bfloat16), draw(shape), None)
    assert not native.takes(draw(shape), draw(shape), draw(shape, torch.bfloat16))


@pytest.mark.parametrize("branch", [(3, 32, 1, 1), (1, 32, 5, 7)], ids=str)
def test_the_kernel_leaves_a_branch_of_another_shape_to_broadcasting(branch: tuple[int, ...]) -> None:
    assert not native.takes(draw((3, 32, 5, 7)), draw(branch), None)
