"""Counts the multiply-adds of a network or a block; used by `compare`, `bench` and `plugins info`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from foveate.plugins.ops.eager import plain_operators

Formula = Callable[..., int]
Shape = Sequence[int]


def count_macs(module: nn.Module, *inputs: Any) -> int:
    """Multiply-adds of one forward pass in evaluation: those of convolutions, matrix products and attention.

    As in most papers, element-wise operators, norms, pooling, resizing and grid sampling are not counted. The pass
    runs without hand-written kernels, PyTorch's fused transformer layers and torch.compile, since the products inside
    such operators cannot be counted; their number is the same. The mode of every submodule is restored.

    Args:
        module: The network or block.
        inputs: The inputs of the forward pass; with a batch of one, the result is that of one image.

    Example:
        >>> count_macs(nn.Linear(3, 5), torch.rand(2, 3))
        30
    """
    counter = FlopCounterMode(display=False, custom_mapping=_formulas())
    with _in_evaluation(module), torch.no_grad(), plain_operators(), _without_shortcuts(), counter:
        module(*inputs)
    return int(counter.get_total_flops()) // 2


@contextmanager
def _in_evaluation(module: nn.Module) -> Iterator[None]:
    """Set every submodule to evaluation, and restore the mode of each: frozen norms may differ from the rest."""
    training = [part for part in module.modules() if part.training]
    module.eval()
    try:
        yield
    finally:
        for part in training:
            part.training = True


@contextmanager
def _without_shortcuts() -> Iterator[None]:
    """Disable fused transformer layers, whose products PyTorch's counter does not see, and compiled graphs."""
    fused = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.compiler.set_stance("force_eager"):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _formulas() -> dict[Any, Formula]:
    """Floating point operations from shapes, for the operators that PyTorch's counter does not know."""
    aten = torch.ops.aten
    formulas: dict[Any, Formula] = {
        aten._scaled_dot_product_flash_attention_for_cpu: _attention,
        aten._scaled_dot_product_fused_attention_overrideable: _attention,
        aten._scaled_dot_product_attention_math_for_mps: _attention,
        aten.mv: _matrix_vector,
        aten.addmv: lambda bias, matrix, *rest, **named: _matrix_vector(matrix),
        aten.dot: _matrix_vector,
        aten.vdot: _matrix_vector,
        aten.addr: lambda bias, left, right, *rest, **named: 2 * left[0] * right[0],
        aten.addbmm: lambda bias, left, right, *rest, **named: 2 * math.prod(left) * right[-1],
        aten._addmm_activation: lambda bias, left, right, *rest, **named: 2 * math.prod(left) * right[-1],
        aten._trilinear: _trilinear,
    }
    if hasattr(torch.ops.torchvision, "deform_conv2d"):  # registered when torchvision is imported
        formulas[torch.ops.torchvision.deform_conv2d] = _deformable
    return formulas


def _attention(query: Shape, key: Shape, value: Shape, *rest: Any, **named: Any) -> int:
    """Two matrix products: queries and keys, and attention weights and values."""
    *heads, positions, width = query
    return 2 * math.prod(heads) * positions * key[-2] * (width + value[-1])


def _deformable(x: Shape, weight: Shape, *rest: Any, out_shape: Shape, **named: Any) -> int:
    """The same as an ordinary convolution; interpolation between positions is not counted, as in grid sampling."""
    return 2 * math.prod(out_shape) * math.prod(weight[1:])


def _matrix_vector(matrix: Shape, *rest: Any, **named: Any) -> int:
    return 2 * math.prod(matrix)


def _trilinear(one: Shape, weight: Shape, two: Shape, *rest: Any, out_shape: Shape, **named: Any) -> int:
    """`nn.Bilinear`: per output and row, the weight matrix times one input, then a dot product with the other."""
    _, left, right = weight
    return 2 * math.prod(out_shape) * (left * right + right)
