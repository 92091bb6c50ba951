"""The memory layout of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor


def layout_of(x: Tensor) -> torch.memory_format:
    """channels_last or contiguous; a map that is both, such as one of a single channel, counts as contiguous."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if channels_last else torch.contiguous_format


def like_layout(out: Tensor, x: Tensor) -> Tensor:
    """`out` in channels_last if `x` is, else contiguous; operators that know only one of the two are wrapped in it."""
    return out.contiguous(memory_format=layout_of(x))
