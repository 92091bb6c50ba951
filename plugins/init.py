"""Weight initialisation of models and blocks."""

from __future__ import annotations

import math

from torch import nn


def init_weights(module: nn.Module) -> None:
    """Initialise weights of convolutions and linear layers; biases are 0.

    Convolutions: normal with standard deviation sqrt(2 / fan_out). Linear layers: truncated normal with 0.02.

    Use with `module.apply(init_weights)`, before a plugin's block is added to the module, so that the block keeps its
    author's initialisation.
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
