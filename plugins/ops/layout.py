"""Which way a map lies in memory."""

from __future__ import annotations

import torch
from torch import Tensor


def like_layout(out: Tensor, x: Tensor) -> Tensor:
    """`out` in channels_last if `x` is, else contiguous; operators that know only one of the two are wrapped in it."""
    channels_last = x.is_contiguous(memory_format=torch.channels_last) and not x.is_contiguous()
    return out.contiguous(memory_format=torch.channels_last if channels_last else torch.contiguous_format)
