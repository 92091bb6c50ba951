"""Whether hand-written kernels may run, or plain operators are wanted."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_plain: ContextVar[bool] = ContextVar("plain", default=False)


def is_eager_on_cpu(x: Tensor) -> bool:
    """Whether a kernel of ours may run: a traced graph holds plain operators, and other devices have their own."""
    is_tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return x.device.type == "cpu" and not torch.compiler.is_compiling() and not is_tracing and not _plain.get()


@contextmanager
def plain_operators() -> Iterator[None]:
    """Inside, PyTorch's own operators are used in place of hand-written kernels: a counter sees only those."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
