"""Casting as autocast would do it, since autocast does not reach inside a custom autograd function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def to_autocast(*tensors: Tensor | None) -> list[Any]:
    """The tensors in the dtype of the CPU's autocast, if it is enabled; None stays None."""
    if not torch.is_autocast_enabled("cpu"):
        return list(tensors)
    dtype = torch.get_autocast_dtype("cpu")
    return [tensor if tensor is None else tensor.to(dtype) for tensor in tensors]
