"""Whether hand-written kernels may run, or PyTorch's operators are required."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_plain: ContextVar[bool] = ContextVar("plain", default=False)


def is_eager_on_cpu(x: Tensor) -> bool:
    """Whether a native kernel may run: on the CPU only, and not in a traced graph, which holds PyTorch's operators."""
    is_tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and not is_tracing and not _plain.get()


@contextmanager
def plain_operators() -> Iterator[None]:
    """Use PyTorch's own operators instead of hand-written kernels in this context; counters see only those."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
