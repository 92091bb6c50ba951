"""Casting as autocast would do it, since autocast does not reach inside a custom autograd function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def to_autocast(first: Tensor, *more: Tensor | None) -> list[Any]:
    """The tensors in the dtype of the autocast of the first one's device, if it is enabled; None stays None."""
    tensors = (first, *more)
    if not torch.is_autocast_enabled(first.device.type):
        return list(tensors)
    dtype = torch.get_autocast_dtype(first.device.type)
    return [tensor if tensor is None else tensor.to(dtype) for tensor in tensors]
