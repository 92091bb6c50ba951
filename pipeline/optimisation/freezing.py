"""Freezes parts of a network, for the whole training or until a step."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import yaml
from torch import nn
from torch.nn.modules.batchnorm import _NormBase

from foveate.datasets.files.strict_yaml import parse_yaml
from foveate.pipeline.errors import ConfigError
from foveate.pipeline.models.parts import find_part, split_list
from foveate.pipeline.optimisation.ranges import check_range
from foveate.pipeline.text import quote_indices
from foveate.plugins.hints import did_you_mean

# What a recipe may say: a part's name, a mapping with `parts` and `until_step`, or a list of these.
FreezeRule = dict[str, list[str] | int | str | None] | str
Freeze = list[FreezeRule] | FreezeRule
OPTIONS = ("parts", "until_step")


@dataclass(frozen=True)
class Rule:
    """Which parts are frozen, and for how long.

    Attributes:
        parts: Names of parts, as in `find_part`.
        until: The number of steps after which they are trained; infinity if never.
    """

    parts: tuple[str, ...]
    until: float = math.inf


def read_rules(freeze: Freeze | None) -> list[Rule]:
    """The rules that a recipe gives under `freeze`.

    Args:
        freeze: Such as `encoder`, `[encoder.stages[:2], decoder]` or `{parts: encoder, until_step: 500}`.

    Raises:
        ConfigError: It is nothing of the kind.

    Example:
        >>> read_rules(["encoder.stages[:2]", {"parts": "decoder", "until_step": 500}])
        [Rule(parts=('encoder.stages[:2]',), until=inf), Rule(parts=('decoder',), until=500)]
    """
    if freeze is None:
        return []
    given: object = freeze  # a recipe may hold anything
    if isinstance(given, str) and given.strip().startswith(("[", "{")):
        return read_rules(_read_text(given))
    if isinstance(given, str):
        return [Rule(tuple(split_list(given)))]
    if isinstance(given, Mapping):
        return [_read_mapping(given)]
    if isinstance(given, Sequence):
        return [rule for one in given for rule in read_rules(one)]
    raise ConfigError(f"freeze: {given!r} is not accepted; accepted: a part's name, a list, or {{parts: ..., ...}}")


def _read_text(text: str) -> Freeze:
    """A list or mapping given as text, since YAML cannot read an index such as [:2]."""
    try:
        read: Freeze = parse_yaml(quote_indices(text))
    except yaml.YAMLError as error:
        raise ConfigError(f"freeze: {text!r} is no list or mapping; write [encoder.stages[:2], decoder]") from error
    return read


def _read_mapping(given: Mapping[str, Any]) -> Rule:
    for option in given:
        if option not in OPTIONS:
            hint = did_you_mean(str(option), OPTIONS)
            raise ConfigError(f"freeze has no option {option!r}{hint} (accepted: {', '.join(OPTIONS)})")
    if not given.get("parts"):
        raise ConfigError("freeze: which parts? give {parts: encoder, until_step: 500}, or their names alone")
    parts = [name for rule in read_rules(given["parts"]) for name in rule.parts]
    until = given.get("until_step")
    if until is None:
        return Rule(tuple(parts))
    if isinstance(until, bool) or not isinstance(until, int):
        raise ConfigError(f"freeze.until_step: {until!r} is not accepted; accepted: a whole number of at least 1")
    check_range("freeze.until_step", until, least=1)
    return Rule(tuple(parts), until)


def learns_later(freeze: Freeze | None) -> bool:
    """Whether some part is frozen only until a step, and so has no gradient before.

    Args:
        freeze: What a recipe says under `freeze`.

    Raises:
        ConfigError: It is nothing of the kind.
    """
    return any(rule.until < math.inf for rule in read_rules(freeze))


class Freezing:
    """Freezes parts of a network: their parameters, and the statistics of their batch norms.

    Frozen parameters need no gradient. A frozen batch norm (or instance norm) with running statistics uses these, as
    in evaluation; dropout and drop path stay active.

    Parameters that are trained later require a gradient while an optimiser and DDP are set up (`release`), so that
    both include them; without a gradient they get neither optimiser state nor weight decay.

    Args:
        network: The network, with no parameter frozen yet.
        freeze: What the recipe says under `freeze`.

    Raises:
        ConfigError: There is no such part, or nothing would be trained.
    """

    def __init__(self, network: nn.Module, freeze: Freeze | None) -> None:
        self._rules = read_rules(freeze)
        self._until: dict[str, float] = {}  # parameter or buffer -> the step from which it is trained
        for rule in self._rules:
            for name in (name for part in rule.parts for name in find_part(network, part)):
                self._until[name] = max(rule.until, self._until.get(name, 0))
        self._norms = {name: until for name, norm in network.named_modules() if (until := self._norm_until(name, norm))}
        learning = [self._until.get(name, 0) for name, _ in network.named_parameters()]
        if learning and min(learning) > 0:
            raise ConfigError(f"freeze: nothing would learn with {self._in_words()} frozen; leave out a part of it")
        self._changes = any(0 < until < math.inf for until in learning)
        self._step = 0
        self.release(network)

    def _norm_until(self, name: str, norm: nn.Module) -> float:
        """The step from which a norm updates its statistics; 0 if the module is not frozen or no such norm."""
        if not isinstance(norm, _NormBase) or norm.running_mean is None:
            return 0
        return max(self._until.get(f"{name}.{own}", 0) for own in ("weight", "bias", "running_mean"))

    def release(self, network: nn.Module) -> None:
        """Unfreeze what is trained later, while an optimiser is set up; the rest stays frozen.

        Args:
            network: The network given when this was built.
        """
        self._set_gradients(network, math.inf)

    def apply(self, network: nn.Module, step: int) -> None:
        """Freeze the parts that are frozen at this step, and unfreeze the rest.

        Args:
            network: The network given when this was built.
            step: Optimiser steps done so far.
        """
        self._step = step
        self._set_gradients(network, step)
        self.hold(network)

    def follow(self, network: nn.Module, step: int) -> None:
        """Call `apply` if a part may be unfrozen at this step; else do nothing.

        Args:
            network: The network given when this was built.
            step: Optimiser steps done so far.
        """
        if self._changes and step > self._step:
            self.apply(network, step)

    def hold(self, network: nn.Module) -> None:
        """Set frozen norms to evaluation mode; to be called whenever the network was set to training mode.

        Args:
            network: The network given when this was built.
        """
        for name, until in self._norms.items():
            norm = network.get_submodule(name)
            norm.train(network.training and self._step >= until)

    def _set_gradients(self, network: nn.Module, step: float) -> None:
        for name, parameter in network.named_parameters():
            until = self._until.get(name, 0)
            if until > 0:
                parameter.requires_grad_(step >= until and until < math.inf)

    def _in_words(self) -> str:
        said = []
        for until, rules in groupby(self._rules, key=lambda rule: rule.until):
            end = "" if until == math.inf else f" until step {until:g}"
            said.append(", ".join(part for rule in rules for part in rule.parts) + end)
        return "; ".join(said)

    def describe(self, network: nn.Module) -> str:
        """A phrase on what is frozen, to follow the number of parameters; empty if nothing is frozen.

        Args:
            network: The network given when this was built.

        Example:
            >>> network = nn.Sequential(nn.Linear(2, 3), nn.Linear(3, 1))
            >>> Freezing(network, {"parts": "0", "until_step": 500}).describe(network)
            ', 9 of them frozen (0 until step 500)'
        """
        count = sum(parameter.numel() for name, parameter in network.named_parameters() if name in self._until)
        return f", {count:,} of them frozen ({self._in_words()})" if count else ""
