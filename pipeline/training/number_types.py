"""Annotations by which a whole number stays one: 1 batch is not all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Union, get_args, get_origin


def prefer_int(function: Callable[..., Any]) -> None:
    """Let each union of a function's annotations name int before float; parsers take the first kind that fits.

    `typing` keeps the unions it has made and hands out an equal one again. `Optional[Union[int, float]]` may thus come
    out as `Union[float, int, None]` if another package asked for that before, and Lightning reads `limit_val_batches=1`
    as one batch, but 1.0 as all of them.

    Args:
        function: Its annotations are changed.

    Example:
        >>> def limit(batches): ...
        >>> limit.__annotations__["batches"] = Union[float, int, None]
        >>> prefer_int(limit)
        >>> get_args(limit.__annotations__["batches"])
        (<class 'int'>, <class 'float'>, <class 'NoneType'>)
    """
    annotations = getattr(function, "__annotations__", {})
    for name, hint in annotations.items():
        kinds = get_args(hint)
        if get_origin(hint) is Union and {int, float} <= {kind for kind in kinds if isinstance(kind, type)}:
            others = [kind for kind in kinds if kind is not int]
            others.insert(others.index(float), int)
            annotations[name] = Union[tuple(others)]  # noqa: UP007
