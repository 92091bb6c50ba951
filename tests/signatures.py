"""Checks of signatures while tests run: shapes by jaxtyping where there are any, everything else by beartype alone."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any, get_args

import jaxtyping
from jaxtyping import install_import_hook

# With the tower an int will do where a float is asked for, as type checkers have it. A refusal is a TypeError.
CHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True, violation_type=TypeError))"
BY_SHAPE = jaxtyping.jaxtyped
TRANSLATED = ("foveate.plugins.ops.gpu.kernels",)  # modules whose functions a compiler reads, and nobody calls

Check = Callable[[Any], Any]


def check_signatures(packages: list[str]) -> None:
    """Check the signature of each function of some packages, as they are imported from now on.

    To compare shapes, jaxtyping binds the arguments of each call to their names. That takes 60 us, in some tests more
    than all else, and few functions have shapes in their signature. So the others are decorated by beartype alone.

    Args:
        packages: Names of packages that were not imported yet.
    """
    jaxtyping.jaxtyped = checked  # what the hook decorates functions and classes with
    install_import_hook(packages, CHECKER)


def checked(what: Any = None, *, typechecker: Check | None = None) -> Any:
    """As `jaxtyping.jaxtyped`, but faster for functions without shapes, and for dataclasses without.

    Args:
        what: A function, class, property, or whatever else is decorated.
        typechecker: Decorates a function.
    """
    if what is None:
        return functools.partial(checked, typechecker=typechecker)
    if typechecker is None:
        return BY_SHAPE(what)
    if getattr(what, "__module__", "") in TRANSLATED:
        return what
    if dataclasses.is_dataclass(what) and isinstance(what, type) and isinstance(what.__init__, FunctionType):
        what.__init__ = _function(what.__init__, typechecker)  # type: ignore[misc]
        return what
    return _function(what, typechecker) if isinstance(what, FunctionType) else BY_SHAPE(what, typechecker=typechecker)


def _function(function: FunctionType, typechecker: Check) -> Any:
    meant = {name: _meant(one, function.__globals__) for name, one in function.__annotations__.items()}
    if any(map(_has_shape, meant.values())):
        return BY_SHAPE(function, typechecker=typechecker)
    copy = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    functools.update_wrapper(copy, function)
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__annotations__ = meant
    del copy.__wrapped__  # type: ignore[attr-defined]
    strict = typechecker(copy)

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        return (function if jaxtyping.config.jaxtyping_disable else strict)(*args, **kwargs)

    return call


def _meant(annotation: Any, names: dict[str, Any]) -> Any:
    """What an annotation stands for; Any for names that only a type checker imports."""
    if not isinstance(annotation, str):
        return annotation
    try:
        return eval(annotation, names)
    except Exception:  # as jaxtyping has it
        return Any


def _has_shape(annotation: Any) -> bool:
    """Whether an annotation compares shapes, itself or inside, also by a name of its own."""
    if isinstance(annotation, type) and issubclass(annotation, jaxtyping.AbstractArray):
        return True
    inside = annotation if isinstance(annotation, list) else get_args(annotation)
    return any(map(_has_shape, inside))
