"""Optimisers by name: our two, and any of torch or timm that a training step can use like these."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, AdamW, Optimizer

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import MOST, did_you_mean, nearest, suggest

TORCH, TIMM = "torch:", "timm:"  # prefixes
OWN = ("adamw", "sgd")
GIVEN = ("params", "lr", "weight_decay")  # arguments that come from elsewhere in the recipe
# Of a library's optimisers, those that need more than `step()` after a backward pass.
REFUSED = {
    "LBFGS": "it computes the loss several times in a step",
    "SparseAdam": "it takes sparse gradients only",
    "Adahessian": "it needs second derivatives",
}


@dataclass(frozen=True)
class Kind:
    """An optimiser class.

    Attributes:
        name: Its name in a recipe.
        build: The class.
        defaults: The arguments that its name stands for, such as `nesterov` of timm:sgd.
    """

    name: str
    build: Callable[..., Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)

    def options(self) -> list[str]:
        """The arguments that a recipe may set under `options`."""
        return [name for name in inspect.signature(self.build).parameters if name not in GIVEN]

    def decays(self) -> bool:
        """Whether it has a weight decay."""
        return "weight_decay" in inspect.signature(self.build).parameters


def find_kind(name: str) -> Kind:
    """The optimiser class of a name. Imports timm for a name of timm's.

    Args:
        name: `adamw`, `sgd`, `torch:` and a class of torch.optim, or `timm:` and a name of timm's.

    Raises:
        ConfigError: There is none, it cannot be used here, or a package that it needs is missing.

    Example:
        >>> find_kind("torch:RMSprop").build.__name__, find_kind("timm:nesterov").defaults["momentum"]
        ('RMSprop', 0.9)
    """
    if name in OWN:
        return Kind(name, AdamW if name == "adamw" else SGD)
    if name.startswith(TORCH):
        kind = Kind(name, _torch_class(name))
    elif name.startswith(TIMM):
        kind = _timm_kind(name)
    else:
        near = {one.lower().partition(":")[2]: one for one in _torch_names()} | {one: one for one in OWN}
        close = next((near[key] for key in near if key == name.lower()), "")
        hint = suggest([close] if close else [*nearest(name, OWN), *nearest(name, _torch_names())][:MOST])
        raise ConfigError(
            f"no optimizer {name!r}{hint} (accepted: adamw, sgd, torch:NAME such as torch:RMSprop, timm:NAME such as "
            "timm:lion)"
        )
    if reason := _reason_against(kind.build):
        raise ConfigError(f"optimizer {name} cannot be used here: {reason}")
    return kind


def _torch_names() -> list[str]:
    kinds = [kind for kind in vars(torch.optim).values() if isinstance(kind, type) and issubclass(kind, Optimizer)]
    return [TORCH + kind.__name__ for kind in kinds if kind is not Optimizer]


def _torch_class(name: str) -> type[Optimizer]:
    if name not in _torch_names():
        same = [one for one in _torch_names() if one.lower() == name.lower()]
        hint = f"; did you mean {same[0]!r}?" if same else did_you_mean(name, _torch_names())
        raise ConfigError(f"no optimizer {name!r}{hint} (accepted: {', '.join(sorted(_torch_names()))})")
    kind: type[Optimizer] = getattr(torch.optim, name.removeprefix(TORCH))
    return kind


def list_timm() -> list[str]:
    """Every optimiser name of timm, with our prefix; some need further packages. Imports timm."""
    return [TIMM + name for name in _timm().list_optimizers()]


def _timm() -> Any:
    """timm's optimisers, whose types are not exported."""
    return importlib.import_module("timm.optim")


def _timm_kind(name: str) -> Kind:
    if name not in list_timm():
        hint = did_you_mean(name.lower(), list_timm())
        raise ConfigError(f"no optimizer {name!r}{hint} (all: python -c 'import timm.optim; print(timm.optim."
                          "list_optimizers())')")  # fmt: skip
    info = _timm().get_optimizer_info(name.removeprefix(TIMM))
    try:
        build = _timm().get_optimizer_class(info.name, bind_defaults=False)
    except (ImportError, AssertionError) as error:  # timm asserts that there is a GPU
        raise ConfigError(f"optimizer {name}: {' '.join(str(error).split())}") from error
    momentum = {"momentum": 0.9} if info.has_momentum else {}  # as timm's own factory
    return Kind(name, build, {**momentum, **(info.defaults or {})})


def _reason_against(kind: Any) -> str:
    """Why a training step cannot use an optimiser; empty if it can."""
    if kind.__name__ in REFUSED:
        return REFUSED[kind.__name__]
    closure = inspect.signature(kind.step).parameters.get("closure")
    if hasattr(kind, "first_step") or (closure is not None and closure.default is inspect.Parameter.empty):
        return "it computes the loss several times in a step"
    if callable(getattr(kind, "train", None)) and callable(getattr(kind, "eval", None)):
        return "it has to be told when training and evaluation begin"
    return ""


def build_named(kind: Kind, groups: Iterable[Mapping[str, Any]], lr: float, settings: Mapping[str, Any]) -> Optimizer:
    """An optimiser over groups of parameters.

    Args:
        kind: The class.
        groups: The groups, each with its learning rate and weight decay.
        lr: The learning rate of the recipe.
        settings: Its other arguments; lists stand for tuples.

    Raises:
        ConfigError: It refuses an argument or the parameters.
    """
    arguments = {**kind.defaults, **settings}
    arguments = {key: tuple(value) if isinstance(value, list) else value for key, value in arguments.items()}
    try:
        built: Optimizer = kind.build([dict(group) for group in groups], lr=lr, **arguments)
    except (TypeError, ValueError, RuntimeError, ImportError, AssertionError) as error:
        reason = " ".join(str(error).split())
        raise ConfigError(f"optimizer {kind.name} with {dict(settings)}: {reason}") from error
    return built


def check_options(kind: Kind, lr: float, decay: float, settings: Mapping[str, Any]) -> None:
    """Refuse options that an optimiser does not take, by building it for a convolution.

    Args:
        kind: The class.
        lr: The learning rate.
        decay: The weight decay.
        settings: Its other arguments.

    Raises:
        ConfigError: An option is unknown or its value refused, or the optimiser has no weight decay.
    """
    for option in settings:
        if option in GIVEN:
            raise ConfigError(f"optimizer.options: {option} is set outside of them: optimizer.{option}")
        if option not in kind.options():
            hint = did_you_mean(option, kind.options())
            accepted = ", ".join(kind.options()) or "none"
            raise ConfigError(f"optimizer {kind.name} has no option {option!r}{hint} (accepted: {accepted})")
    if decay and not kind.decays():
        raise ConfigError(f"optimizer {kind.name} has no weight decay: set optimizer.weight_decay to 0")
    group = {"params": list(nn.Conv2d(2, 2, 1).parameters()), "lr": lr, "weight_decay": decay}
    build_named(kind, [group], lr, settings)
