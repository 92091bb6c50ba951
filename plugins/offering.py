"""Whether a module offers an optional method, such as `folded` or `maps`, for its own forward pass."""

from __future__ import annotations


def offers(kind: type, method: str) -> bool:
    """Whether a class offers an optional method for its own `forward`, not for one that it overrides.

    A subclass that overrides `forward` must also override the method, or the method is not used.

    Args:
        kind: The class of a module.
        method: Name of the method.

    Example:
        >>> class Gate:
        ...     def forward(self): ...
        ...     def maps(self, x): ...
        >>> class Other(Gate):
        ...     def forward(self): ...
        >>> offers(Gate, "maps"), offers(Other, "maps")
        (True, False)
    """
    for parent in kind.__mro__:
        if method in vars(parent):
            return True
        if "forward" in vars(parent):
            return False
    return False
