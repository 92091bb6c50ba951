"""The memory layout of a feature map."""

from __future__ import annotations

import torch
from torch import Tensor


def layout_of(x: Tensor) -> torch.memory_format:
    """channels_last or contiguous; a feature map that is both, such as one with a single channel, is contiguous."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return torch.channels_last if channels_last else torch.contiguous_format


def like_layout(out: Tensor, x: Tensor) -> Tensor:
    """`out` in the memory layout of `x`, for the output of operators that support only one layout."""
    return out.contiguous(memory_format=layout_of(x))
