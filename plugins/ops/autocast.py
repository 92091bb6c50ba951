"""What autocast would have done: it does not look inside a custom function."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


def to_autocast(*tensors: Tensor | None) -> list[Any]:
    """Tensors in autocast's dtype on the CPU, if it is on; None stays None."""
    if not torch.is_autocast_enabled("cpu"):
        return list(tensors)
    dtype = torch.get_autocast_dtype("cpu")
    return [tensor if tensor is None else tensor.to(dtype) for tensor in tensors]
