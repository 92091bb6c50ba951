"""The interface by which a module offers a folded form, which an engine runs in fewer passes over memory."""

from __future__ import annotations

import logging
from typing import Protocol, cast

from torch import nn

from foveate.plugins.offering import offers

log = logging.getLogger(__name__)


class Foldable(Protocol):
    """A module that offers a folded form. Any block, encoder or decoder may do so; the engine `folded` uses it.

    Batch norms and activations after a plain convolution are folded without it. It is useful for what an engine does
    not find: norms before a convolution, and sums and products that a convolution can compute (see `FusedConv2d`).
    """

    def folded(self) -> nn.Module:
        """A module with the same result at evaluation, up to rounding.

        It is called on a copy in evaluation mode whose parameters need no gradient, so weights may be changed in
        place and reused. A subclass that overrides `forward` must also override this method, or it is not used.
        """
        ...


def fold_offered(module: nn.Module) -> nn.Module:
    """The folded form of a module, or the module itself with every submodule that offers a folded form replaced.

    A submodule whose `folded` raises an exception is not changed, with a warning.

    Args:
        module: A module in evaluation mode; it must not be used afterwards.
    """
    if offers(type(module), "folded"):
        try:
            return cast(Foldable, module).folded()
        except Exception as error:  # raised by a plugin; the network runs without folding it
            log.warning("%s.folded failed, so the module is not folded: %s", type(module).__name__, error)
            return module
    for name, child in list(module.named_children()):
        fresh = fold_offered(child)
        if fresh is not child:
            setattr(module, name, fresh)
    return module
