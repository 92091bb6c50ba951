"""What a module may offer so that an engine runs it in fewer passes over memory: a folded form of itself."""

from __future__ import annotations

import logging
from typing import Protocol, cast

from torch import nn

log = logging.getLogger(__name__)


class Foldable(Protocol):
    """A module that offers a folded form. Any block, encoder or decoder may; the `folded` engine asks for it.

    Batch norms and activations that follow a plain convolution are folded without it. It pays for what an engine
    cannot see: norms before a convolution, sums and products that a convolution can take over (see `FusedConv2d`).
    """

    def folded(self) -> nn.Module:
        """A module that gives the same at evaluation, up to rounding.

        It is called on a copy in evaluation whose parameters need no gradient: weights may be changed in place and
        taken over. A subclass with another `forward` has to offer its own: this one is not used for it.
        """
        ...


def fold_offered(module: nn.Module) -> nn.Module:
    """The folded form of a module, or the module itself with those of its parts that offer one replaced.

    A part whose `folded` raises is left as it is, with a warning.

    Args:
        module: In evaluation; it is used up.
    """
    if _offers(type(module)):
        try:
            return cast(Foldable, module).folded()
        except Exception as error:  # of a plugin: the network runs without it
            log.warning("%s.folded failed, the module is left as it is: %s", type(module).__name__, error)
            return module
    for name, child in list(module.named_children()):
        fresh = fold_offered(child)
        if fresh is not child:
            setattr(module, name, fresh)
    return module


def _offers(kind: type) -> bool:
    """Whether a class offers a folded form of the `forward` that it has, not of one that it replaced."""
    for parent in kind.__mro__:
        if "folded" in vars(parent):
            return True
        if "forward" in vars(parent):
            return False
    return False
