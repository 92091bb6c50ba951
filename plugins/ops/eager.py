"""Whether operators run now, or are written into a graph."""

from __future__ import annotations

import torch
from torch import Tensor


def is_eager_on_cpu(x: Tensor) -> bool:
    """Whether a kernel of ours may run: a traced graph holds plain operators, and other devices have their own."""
    is_tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and not is_tracing
