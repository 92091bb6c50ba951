"""Whether a module has hooks, so that it has to be called and not only computed."""

from __future__ import annotations

from torch import nn


def has_no_hooks(module: nn.Module) -> bool:
    """Whether nothing would notice that a module is not called.

    Example:
        >>> has_no_hooks(nn.ReLU())
        True
    """
    hooks = (module._forward_hooks, module._forward_pre_hooks, module._backward_hooks, module._backward_pre_hooks)
    return not any(hooks)
