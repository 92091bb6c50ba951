"""Merges the branches of networks that train more of them than they run, as RepVGG does."""

from __future__ import annotations

from torch import nn

METHODS = ("reparameterize", "switch_to_deploy")  # as libraries call it


def merge_branches(network: nn.Module) -> nn.Module:
    """The same network with parallel branches merged into one convolution, where its modules offer that.

    Args:
        network: A network in evaluation mode, which is changed.

    Returns:
        The network.

    Source:
        Ding et al. 2021, RepVGG (arXiv:2101.03697).
    """
    for module in list(network.modules()):
        for name in METHODS:
            method = getattr(module, name, None)
            if module is not network and callable(method):
                method()
                break
    return network
