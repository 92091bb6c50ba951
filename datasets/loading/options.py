"""The options that data modules share, described once: names, types and help in a TypedDict, defaults beside it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Literal, TypedDict, Unpack, get_args, get_origin, get_type_hints, is_typeddict

WORKER_TIMEOUT = 600.0  # seconds
KEYWORD = inspect.Parameter.KEYWORD_ONLY


class LoadingOptions(TypedDict, total=False):
    """The options of every data set: how samples are read.

    Attributes:
        batch_size: Training samples per step and device; `auto` takes as many as fit into memory.
        total_batch: Training samples of an optimiser step on all devices together; gradients are accumulated as needed.
        eval_batch_size: Samples per step and device in evaluation.
        num_workers: Processes that read; -1 takes one per core but one, at most 8.
        seed: Decides shuffling and augmentation; the run's seed if not given.
        worker_timeout: Seconds to wait for a batch of the reading processes before they count as hanging; 0 waits for
            good.
        fold: Cross-validation: `2/5` leaves the second of five parts of the training images out, and validates on it in
            place of val. Images of one `group` stay in one part.
    """

    batch_size: int | Literal["auto"]
    total_batch: int | None
    eval_batch_size: int | None
    num_workers: int
    seed: int | None
    worker_timeout: float
    fold: str | None


def spell_out(constructor: Callable[..., None], defaults: Mapping[str, object]) -> None:
    """Let the signature of a constructor show each option that its `**options` stand for, with type and default.

    The parser of recipes and flags reads signatures. So options have help, their defaults end up in the recipe that a
    run keeps, and an unknown one is refused with a hint. A constructor whose `**options` are not `Unpack[...]` of a
    TypedDict is not changed: the parser then looks for the options in the base class.

    Args:
        constructor: An `__init__`.
        defaults: Default of each option of the TypedDict.

    Raises:
        TypeError: An option has no default.

    Example:
        >>> def build(self, root: str = ".", **options: Unpack[LoadingOptions]) -> None: ...
        >>> defaults = {"batch_size": 8, "total_batch": None, "eval_batch_size": None, "num_workers": 0, "seed": None}
        >>> spell_out(build, {**defaults, "worker_timeout": 9, "fold": None})
        >>> list(inspect.signature(build).parameters)[:4]
        ['self', 'root', 'batch_size', 'total_batch']
    """
    hints = get_type_hints(constructor)
    signature = inspect.signature(constructor)
    own: list[inspect.Parameter] = []
    shared: list[inspect.Parameter] = []
    for name, parameter in signature.parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            own.append(parameter.replace(annotation=hints.get(name, parameter.annotation)))
        elif get_origin(hints.get(name)) is Unpack:
            shared = _keywords(get_args(hints[name])[0], defaults)
            constructor.__doc__ = constructor.__doc__ or _help_of(get_args(hints[name])[0])
    if shared:
        constructor.__signature__ = signature.replace(parameters=[*own, *shared])  # type: ignore[attr-defined]


def _help_of(described: type[Any]) -> str:
    """The docstring of a TypedDict, with the attributes of those that it extends."""
    text = inspect.cleandoc(described.__doc__ or "")
    for base in getattr(described, "__orig_bases__", ()):
        if is_typeddict(base):
            attributes = _help_of(base).partition("Attributes:\n")[2]
            text += f"\n{attributes}" if attributes and attributes not in text else ""
    return text


def _keywords(described: type[Any], defaults: Mapping[str, object]) -> list[inspect.Parameter]:
    hints = get_type_hints(described)
    if missing := [name for name in hints if name not in defaults]:
        raise TypeError(f"{described.__name__}: no default for {', '.join(missing)}")
    return [inspect.Parameter(name, KEYWORD, default=defaults[name], annotation=hint) for name, hint in hints.items()]
