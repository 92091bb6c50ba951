"""What a block costs, by width."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode

from foveate.plugins.conformance.subject import Size, Subject

WIDTHS = (32, 64, 160, 256)  # SegNeXt-T's
MAP: Size = (64, 64)


@dataclass(frozen=True)
class Cost:
    """At a width: the number of parameters, and of multiply-adds of one map in convolutions and matrix products."""

    channels: int
    parameters: int
    macs: int


def measure_costs(subject: Subject, widths: Sequence[int] = WIDTHS, size: Size = MAP) -> list[Cost]:
    """Count at each width, or the next that the block accepts."""
    return [_measure(subject, width, size) for width in sorted({subject.width(width) for width in widths})]


def _measure(subject: Subject, channels: int, size: Size) -> Cost:
    module = subject.module(channels=channels)
    parameters = sum(parameter.numel() for parameter in module.parameters())
    with torch.no_grad(), FlopCounterMode(display=False, custom_mapping=_formulas()) as counter:
        module(subject.features(size, batch=1, channels=channels))
    return Cost(channels, parameters, counter.get_total_flops() // 2)


def _formulas() -> dict[Any, Callable[..., int]]:
    """Those of operators that PyTorch's counter passes over: of shapes, in floating point operations."""
    formulas: dict[Any, Callable[..., int]] = {
        torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    }
    if hasattr(torch.ops.torchvision, "deform_conv2d"):  # once torchvision was imported
        formulas[torch.ops.torchvision.deform_conv2d] = _deformable
    return formulas


def _attention(query: Sequence[int], key: Sequence[int], value: Sequence[int], *rest: Any, **named: Any) -> int:
    """Two products: of queries and keys, and of weights and values."""
    *heads, places, width = query
    return 2 * math.prod(heads) * places * key[-2] * (width + value[-1])


def _deformable(x: Sequence[int], weight: Sequence[int], *rest: Any, out_shape: Sequence[int], **named: Any) -> int:
    """That of the ordinary convolution; what is sampled between cells is not counted, as in grid sampling."""
    return 2 * math.prod(out_shape) * math.prod(weight[1:])
