"""Finds pairs of modules in which only the second reads the output of the first, in one run of any network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves


class Reads(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Count how many operators read each tensor. All tensors are kept alive, so that no address is used twice."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.count: Counter[int] = Counter()
        self.kept: list[Tensor] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        for value in tree_leaves((args, kwargs or {})):
            if isinstance(value, Tensor):
                self.count[id(value)] += 1
                self.kept.append(value)
        return func(*args, **(kwargs or {}))


class Observer:
    """Hooks that record which module produced a tensor, and which module read it.

    Attributes:
        calls: Number of calls of each module.
    """

    def __init__(self, reads: Reads) -> None:
        self.reads = reads
        self.calls: Counter[nn.Module] = Counter()
        self._made: dict[int, tuple[nn.Module, int]] = {}  # the module that produced it, and the number of reads so far
        self._found: list[tuple[nn.Module, nn.Module, int, int]] = []

    def before(self, module: nn.Module, args: tuple[Any, ...]) -> None:
        """Record a module's input if no operator has read it since it was produced."""
        self.calls[module] += 1
        if len(args) == 1 and isinstance(args[0], Tensor) and id(args[0]) in self._made:
            maker, count = self._made[id(args[0])]
            if self.reads.count[id(args[0])] == count:
                self._found.append((maker, module, id(args[0]), count))

    def after(self, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
        """Record a module's output; a module that works in place returns its input tensor."""
        if not isinstance(out, Tensor):
            return
        read = self.reads.count[id(out)]
        if len(args) == 1 and args[0] is out:
            self._found = [
                (maker, reader, 0 if reader is module and key == id(out) else key, count)
                for maker, reader, key, count in self._found
            ]
        self._made[id(out)] = (module, read)
        self.reads.kept.append(out)

    def pairs(self) -> list[tuple[nn.Module, nn.Module]]:
        """Pairs of producer and only reader, where each ran once and one operator read the tensor."""
        return [
            (maker, reader)
            for maker, reader, key, count in self._found
            if self.calls[maker] == self.calls[reader] == 1 and (key == 0 or self.reads.count[key] == count + 1)
        ]


def find_pairs(network: nn.Module, image: Tensor) -> list[tuple[nn.Module, nn.Module]]:
    """Pairs of modules without children, where only the second reads the output of the first.

    Args:
        network: A network in evaluation mode; it runs once.
        image: Images (B, C, H, W) of any size that the network accepts.
    """
    with torch.no_grad(), Reads() as reads, _observed(network, Observer(reads)) as observer:
        network(image)
    return observer.pairs()


@contextmanager
def _observed(network: nn.Module, observer: Observer) -> Iterator[Observer]:
    leaves = [module for module in network.modules() if not any(module.children())]
    handles: list[Any] = []
    for module in leaves:
        handles.append(module.register_forward_pre_hook(partial(_before, observer)))
        handles.append(module.register_forward_hook(partial(_after, observer)))
    try:
        yield observer
    finally:
        for handle in handles:
            handle.remove()


def _before(observer: Observer, module: nn.Module, args: tuple[Any, ...]) -> None:
    observer.before(module, args)


def _after(observer: Observer, module: nn.Module, args: tuple[Any, ...], out: Any) -> None:
    observer.after(module, args, out)
