"""Learning-rate schedules of torch and timm by name, as factors on the learning rate.

A library's schedule runs over a stand-in optimiser of rate 1; what that rate becomes is the factor on the rate of every
group. So the groups keep their ratio, the warm-up is ours, and a resumed run needs no more than its step.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.optim import SGD, lr_scheduler
from torch.optim.lr_scheduler import LRScheduler

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import did_you_mean

TORCH, TIMM = "torch:", "timm:"  # prefixes
REFUSED = {
    "torch:ReduceLROnPlateau": "take the schedule plateau, which watches the validation score",
    "timm:plateau": "take the schedule plateau, which watches the validation score",
    "torch:LambdaLR": "it needs a function, which a recipe cannot hold",
    "torch:MultiplicativeLR": "it needs a function, which a recipe cannot hold",
    "torch:SequentialLR": "it needs other schedules as parts",
    "torch:ChainedScheduler": "it needs other schedules as parts",
}
# Arguments that are no options, each with the value that we pass, if any.
FIXED: dict[str, dict[str, Any]] = {
    "torch:OneCycleLR": {"max_lr": 1.0, "cycle_momentum": False},
    "torch:CyclicLR": {"max_lr": 1.0, "cycle_momentum": False},
}
NO_OPTIONS = {
    *("optimizer", "last_epoch", "max_lr", "cycle_momentum", "base_momentum", "max_momentum", "scale_fn", "scale_mode"),
    *("t_in_epochs", "initialize"),
}
# Options that are the length of the run if not given.
LENGTHS = {
    "torch:CosineAnnealingLR": "T_max",
    "torch:OneCycleLR": "total_steps",
    "torch:PolynomialLR": "total_iters",
    "timm:cosine": "t_initial",
    "timm:tanh": "t_initial",
    "timm:poly": "t_initial",
    "timm:wsd": "t_initial",
}
TIMM_CLASSES = {
    "timm:cosine": "CosineLRScheduler",
    "timm:tanh": "TanhLRScheduler",
    "timm:step": "StepLRScheduler",
    "timm:multistep": "MultiStepLRScheduler",
    "timm:poly": "PolyLRScheduler",
    "timm:wsd": "WSDLRScheduler",
}
Factors = Callable[[int], float]  # from the number of steps done to the factor
TRIED = 1000  # steps of the run in which a recipe's options are tried


def is_library_schedule(name: str) -> bool:
    """Whether a name asks for a schedule of torch or timm."""
    return name.startswith((TORCH, TIMM))


def check_library_schedule(name: str, options: Mapping[str, Any]) -> None:
    """Refuse a schedule or options that do not exist, and options without which a schedule cannot be built.

    Args:
        name: Such as torch:StepLR or timm:cosine. The latter imports timm.
        options: Its arguments in the recipe.

    Raises:
        ConfigError: There is no such schedule or option, it cannot be used here, or an option is missing.
    """
    parameters = inspect.signature(_find(name)).parameters
    known = [option for option in parameters if option not in NO_OPTIONS]
    for option in options:
        if option not in known:
            fixed = f"; {_why_fixed(option)}" if option in NO_OPTIONS & set(parameters) else did_you_mean(option, known)
            raise ConfigError(f"schedule {name} has no option {option!r}{fixed} (accepted: {', '.join(known)})")
    needed = [key for key in known if parameters[key].default is inspect.Parameter.empty and key != LENGTHS.get(name)]
    if missing := [key for key in needed if key not in options]:
        raise ConfigError(f"schedule {name} needs schedule.options.{missing[0]}, in optimiser steps or shares of lr")
    library_factors(name, options, TRIED)(0)


def _why_fixed(option: str) -> str:
    return "optimizer.lr is the largest rate" if option == "max_lr" else "it is set by the training"


def _find(name: str) -> Callable[..., Any]:
    """The class of a schedule."""
    if name in REFUSED:
        raise ConfigError(f"schedule {name} cannot be used here: {REFUSED[name]}")
    if name not in _names():
        same = [one for one in _names() if one.lower() == name.lower()]
        hint = f"; did you mean {same[0]!r}?" if same else did_you_mean(name, _names())
        raise ConfigError(f"no schedule {name!r}{hint} (accepted: {', '.join(_names())})")
    if name.startswith(TORCH):
        kind: Callable[..., Any] = getattr(lr_scheduler, name.removeprefix(TORCH))
        return kind
    import timm.scheduler

    timms: Callable[..., Any] = getattr(timm.scheduler, TIMM_CLASSES[name])
    return timms


def _names() -> list[str]:
    kinds = [kind for kind in vars(lr_scheduler).values() if isinstance(kind, type) and issubclass(kind, LRScheduler)]
    names = [TORCH + kind.__name__ for kind in kinds if kind is not LRScheduler and not kind.__name__.startswith("_")]
    return sorted({*names, *TIMM_CLASSES} - {*REFUSED})


def library_factors(name: str, options: Mapping[str, Any], total: float) -> Factors:
    """The factor on the learning rate at each step.

    Args:
        name: Such as torch:StepLR or timm:cosine.
        options: Its arguments in the recipe; rates among them, such as `eta_min`, are shares of the learning rate.
        total: Optimiser steps of the run; infinity if it has no end.

    Raises:
        ConfigError: An option is refused, or the run has no end and the schedule depends on its length.
    """
    arguments = {**FIXED.get(name, {}), **options}
    length = LENGTHS.get(name)
    if length is not None and length not in arguments and "epochs" not in arguments:
        if total == math.inf:
            raise ConfigError(
                f"schedule {name} follows the length of the run, which has no end: set trainer.max_steps or "
                f"trainer.max_epochs, or schedule.options.{length}"
            )
        arguments[length] = max(1, int(total))
    stand_in = SGD([nn.Parameter(torch.zeros(()))], lr=1.0)
    try:
        if name.startswith(TIMM):
            return partial(_timm_factor, _find(name)(stand_in, t_in_epochs=False, **arguments))
        return _TorchFactors(partial(_find(name), **arguments))
    except (TypeError, ValueError, AssertionError, ZeroDivisionError) as error:
        raise ConfigError(f"schedule {name} with {dict(options)}: {' '.join(str(error).split())}") from error


def _timm_factor(schedule: Any, step: int) -> float:
    """timm computes the rate of any step at once."""
    schedule.step_update(step)
    return float(schedule.optimizer.param_groups[0]["lr"])


class _TorchFactors:
    """torch computes each rate from the one before: steps are taken in turn, from the start again for an earlier one.

    Args:
        build: From an optimiser to the schedule.
    """

    def __init__(self, build: Callable[[SGD], LRScheduler]) -> None:
        self._build = build
        self._restart()

    def _restart(self) -> None:
        self._optimizer = SGD([nn.Parameter(torch.zeros(()))], lr=1.0)
        self._schedule = self._build(self._optimizer)
        self._optimizer.step()  # without a gradient; torch warns where a schedule steps before its optimiser
        self._last = getattr(self._schedule, "total_steps", math.inf) - 1  # OneCycleLR refuses steps after its end

    def __call__(self, step: int) -> float:
        if step < self._schedule.last_epoch:
            self._restart()
        while self._schedule.last_epoch < min(step, self._last):
            self._schedule.step()
        return float(self._optimizer.param_groups[0]["lr"])
