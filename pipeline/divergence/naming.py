"""Finds where in a training step the first value that is not finite arises."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from foveate.pipeline.processes.sharding import is_shared, whole


@dataclass(frozen=True)
class Origin:
    """Where values stop being finite.

    Attributes:
        place: Such as "the output of encoder.block1.0 (MSCABlock)".
        phase: forward or backward.
    """

    place: str
    phase: str


@contextmanager
def watching(module: nn.Module) -> Iterator[list[Origin]]:
    """Watch the forward passes in the block; the list gets the first module whose output is not finite.

    A module that passes on what a part of it computed is not named, since its part ended before it did.

    Args:
        module: Its parts are watched, those without a name of their own not.
    """
    found: list[Origin] = []
    names = {part: name for name, part in module.named_modules() if name}

    def look(part: nn.Module, inputs: Any, output: Any) -> None:
        if not found and any(not all_finite(tensor) for tensor in tensors_in(output)):
            found.append(Origin(f"the output of {names[part]} ({type(part).__name__})", "forward"))

    hooks = [part.register_forward_hook(look) for part in names]
    try:
        yield found
    finally:
        for hook in hooks:
            hook.remove()


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested lists, tuples and mappings.

    Args:
        value: What a module returned.
    """
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for child in value.values():
            yield from tensors_in(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from tensors_in(child)


def all_finite(tensor: Tensor) -> bool:
    """Whether a tensor holds neither infinite values nor NaN.

    Args:
        tensor: Of any type; integers are finite.
    """
    return not (tensor.is_floating_point() or tensor.is_complex()) or bool(torch.isfinite(tensor).all())


def gradient_norm(parameters: Iterable[nn.Parameter]) -> Tensor:
    """The Euclidean norm of all gradients together, not finite if one of them is not.

    Where the processes share the gradients (FSDP2), all have to call this; likewise `not_finite_gradient`.

    Args:
        parameters: Those without a gradient count as 0.
    """
    return norm_of(parameter.grad for parameter in parameters if parameter.grad is not None)


def norm_of(tensors: Iterable[Tensor]) -> Tensor:
    """The Euclidean norm of tensors together; all processes have to call this where they share the tensors.

    Args:
        tensors: Such as weights; none gives 0.
    """
    groups: dict[bool, list[Tensor]] = {}
    for tensor in tensors:  # torch takes either those that the processes share or others, not both at once
        groups.setdefault(is_shared(tensor), []).append(tensor.detach())
    norms = [whole(torch.nn.utils.get_total_norm(group)) for group in groups.values()]
    if len(norms) < 2:
        return norms[0] if norms else torch.zeros(())
    total: Tensor = torch.linalg.vector_norm(torch.stack(norms))
    return total


def not_finite_gradient(module: nn.Module) -> str | None:
    """The last parameter, in the order of the network, whose gradient is not finite; None if all are.

    The backward pass goes from the last to the first, so its gradient was the first.

    Args:
        module: After a backward pass.
    """
    named = list(module.named_parameters())
    found = (name for name, p in reversed(named) if p.grad is not None and not all_finite(whole(p.grad)))
    return next(found, None)
