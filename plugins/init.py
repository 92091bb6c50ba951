"""How the convolutions of models and blocks start."""

from __future__ import annotations

import math

from torch import nn


def init_weights(module: nn.Module) -> None:
    """Normal with deviation sqrt(2 / fan_out) for convolutions, truncated normal 0.02 for linear layers, biases 0.

    Use with `module.apply(init_weights)`, before a block of somebody else is put into the module: a block starts
    as its author says.
    """
    if isinstance(module, nn.Conv2d):
        height, width = module.kernel_size
        fan_out = height * width * module.out_channels // module.groups
        nn.init.normal_(module.weight, std=math.sqrt(2 / fan_out))
    elif isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
    else:
        return
    if module.bias is not None:
        nn.init.zeros_(module.bias)
