"""Whether hand-written kernels may run, or PyTorch's operators are required."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import torch
from torch import Tensor

_plain: ContextVar[bool] = ContextVar("plain", default=False)


def is_eager() -> bool:
    """Whether a hand-written kernel may run.

    Not in a traced graph, which holds PyTorch's operators, and not where derivatives are taken in another way than
    backwards: kernels know neither the transforms of torch.func (vmap, grad, jvp ...) nor forward-mode derivatives.
    """
    is_tracing = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return not (torch.compiler.is_compiling() or is_tracing or _plain.get() or _is_transformed())


def _is_transformed() -> bool:
    forward_mode = torch.autograd.forward_ad._current_level >= 0
    return forward_mode or torch._C._are_functorch_transforms_active()


def is_eager_on_cpu(x: Tensor) -> bool:
    """Whether a kernel of `native` may run."""
    return x.device.type == "cpu" and is_eager()


@contextmanager
def plain_operators() -> Iterator[None]:
    """Use PyTorch's own operators instead of hand-written kernels in this context; counters see only those."""
    token = _plain.set(True)
    try:
        yield
    finally:
        _plain.reset(token)
