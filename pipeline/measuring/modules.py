"""Profile of a network: the share of the time that each module takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch import nn

DEPTH = 2  # number of words of the module paths by which times are summed: encoder.block1, decoder.hamburger
Shares = dict[str, float]


class Clock:
    """Time of each module, without the time of its children."""

    def __init__(self) -> None:
        self.own: dict[str, float] = defaultdict(float)
        self._running: list[str] = []
        self._last = 0.0

    def enter(self, name: str) -> None:
        """Start timing a module; its parent's timer is paused."""
        self._switch()
        self._running.append(name)

    def leave(self) -> None:
        """Stop timing a module; its parent's timer goes on."""
        self._switch()
        self._running.pop()

    def _switch(self) -> None:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        now = time.perf_counter()
        if self._running:
            self.own[self._running[-1]] += now - self._last
        self._last = now


def time_modules(network: nn.Module, run: Callable[[], object], *, rounds: int = 3) -> tuple[Shares, Shares]:
    """Shares of the time of a call, by part of the network and by class of module, the largest first.

    Args:
        network: The network whose modules are timed.
        run: Calls the network.
        rounds: Number of timed calls, after a first call that is not timed.
    """
    run()
    clock = Clock()
    with _watched(network, clock):
        for _ in range(rounds):
            run()
    kinds = {name: type(module).__name__ for name, module in network.named_modules()}
    places = _add_up(clock.own, lambda name: ".".join(name.split(".")[:DEPTH]) or "(itself)")
    return places, _add_up(clock.own, lambda name: kinds[name])


def _add_up(own: dict[str, float], key: Callable[[str], str]) -> Shares:
    sums: dict[str, float] = defaultdict(float)
    for name, seconds in own.items():
        sums[key(name)] += seconds
    total = sum(sums.values()) or 1.0
    return {name: sums[name] / total for name in sorted(sums, key=lambda name: -sums[name])}


@contextmanager
def _watched(network: nn.Module, clock: Clock) -> Iterator[None]:
    handles: list[Any] = []
    for name, module in network.named_modules():
        handles.append(module.register_forward_pre_hook(partial(_enter, clock, name)))
        handles.append(module.register_forward_hook(partial(_leave, clock)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _enter(clock: Clock, name: str, module: nn.Module, args: Any) -> None:
    clock.enter(name)


def _leave(clock: Clock, module: nn.Module, args: Any, out: Any) -> None:
    clock.leave()
