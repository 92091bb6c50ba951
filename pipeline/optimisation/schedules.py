"""Learning-rate schedules: a factor on every group's learning rate at each step."""

from __future__ import annotations

import logging
import math
from bisect import bisect_right
from dataclasses import dataclass
from typing import Any

from lightning.fabric.utilities.rank_zero import rank_zero_only
from torch import nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from foveate.pipeline.errors import ConfigError
from foveate.pipeline.optimisation.named_schedules import (
    check_library_schedule,
    is_library_schedule,
    library_factors,
)
from foveate.pipeline.optimisation.optimiser import OptimizerConfig, parameter_groups
from foveate.pipeline.optimisation.ranges import check_range, refuse
from foveate.plugins.blocks import Option
from foveate.plugins.hints import did_you_mean

log = logging.getLogger("foveate")
WARMUP_SHARE = 0.1  # share of the run, by default
WARMUP_START = 1e-6  # factor on the learning rate at the first step
ONE_CYCLE_SHARE = 0.3  # share of the run in which `one_cycle` rises by default; as in PyTorch
NAMES = ("poly", "cosine", "constant", "step", "multi_step", "one_cycle", "plateau")
WHOLE_RUN = ("poly", "cosine", "one_cycle")  # schedules that depend on the length of the run


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate changes, step by step.

    Args:
        name: `poly` falls from 1 to 0 as a power of the remaining share of steps, `cosine` along half a cosine;
            `constant` stays; `step` falls every `step_size` steps, `multi_step` at each of `milestones`; `one_cycle`
            rises from `start` and falls to `final`, both along half a cosine; `plateau` falls when the validation
            metric stops rising. Also `torch:NAME` for a class of torch.optim.lr_scheduler such as torch:StepLR, and
            `timm:NAME` for one of timm's such as timm:cosine; both advance with each optimiser step.
        power: Of `poly`.
        warmup_steps: Steps of linear rise at the start; by default 1500, but at most a tenth of the run. Of `one_cycle`
            the steps of its rise; by default 0.3 of the run. A library's schedule has none by default; if asked for,
            the rise is a factor on the schedule's rate.
        final: Where `cosine` and `one_cycle` end, and below which `plateau` does not fall, as a share of the learning
            rate.
        step_size: Steps from one fall of `step` to the next.
        milestones: Steps at which `multi_step` falls, counted from the start of the run, in rising order.
        gamma: Factor of each fall of `step`, `multi_step` and `plateau`.
        start: Where `one_cycle` starts, as a share of the learning rate.
        patience: Validations without a rise that `plateau` lets pass; it falls at the next one.
        threshold: What counts as a rise for `plateau`: the best value so far, and this share of it more.
        options: Arguments of a library's schedule, such as `{step_size: 1000}`; rates among them are shares of `lr`.

    Raises:
        ConfigError: A value is out of its range, `step_size` or `milestones` is missing, or there is no such schedule.
    """

    name: str = "poly"
    power: float = 1.0
    warmup_steps: int | None = None
    final: float = 0.0
    step_size: int | None = None
    milestones: tuple[int, ...] = ()
    gamma: float = 0.1
    start: float = 0.04
    patience: int = 10
    threshold: float = 1e-4
    options: dict[str, Option] | None = None

    def __post_init__(self) -> None:
        self._check_name()
        check_range("schedule.power", self.power, least=0)
        check_range("schedule.final", self.final, least=0, most=1)
        check_range("schedule.start", self.start, least=0, most=1)
        check_range("schedule.gamma", self.gamma, above=0, most=1)
        check_range("schedule.patience", self.patience, least=0)
        check_range("schedule.threshold", self.threshold, least=0)
        if self.warmup_steps is not None:
            check_range("schedule.warmup_steps", self.warmup_steps, least=0)
        if self.step_size is not None:
            check_range("schedule.step_size", self.step_size, least=1)
        if self.name == "step" and self.step_size is None:
            raise ConfigError("schedule step needs step_size: the steps from one fall to the next")
        if list(self.milestones) != sorted(set(self.milestones)) or any(step < 1 for step in self.milestones):
            refuse("schedule.milestones", list(self.milestones), "steps of at least 1, each once, in rising order")
        if self.name == "multi_step" and not self.milestones:
            raise ConfigError("schedule multi_step needs milestones: a list of the steps at which it falls")

    def _check_name(self) -> None:
        if is_library_schedule(self.name):
            check_library_schedule(self.name, self.options or {})
        elif self.name not in NAMES:
            hint = did_you_mean(self.name, NAMES)
            raise ConfigError(
                f"no schedule {self.name!r}{hint} (accepted: {', '.join(NAMES)}, torch:NAME such as torch:StepLR, "
                "timm:NAME such as timm:cosine)"
            )
        elif self.options:
            raise ConfigError(
                f"schedule.options are for the schedules of torch and timm; write those of {self.name} without them, "
                "such as schedule.power"
            )


def warmup_length(total: float, asked: int | None, share: float = WARMUP_SHARE) -> int:
    """Steps of warm-up in a run of `total` steps.

    Args:
        total: Steps of the run; infinity if it has no end.
        asked: The recipe's value; reduced if the run is shorter, so that a recipe can be tried for a few steps.
        share: Share of the run, used if the recipe gives no value.

    Example:
        >>> warmup_length(160_000, None), warmup_length(500, None), warmup_length(500, 1500)
        (1500, 50, 499)
    """
    wanted = min(1500, total * share) if asked is None else asked
    return int(max(0, min(wanted, total - 1)))


def rate_factor(step: int, *, total: float, warmup: int, config: ScheduleConfig) -> float:
    """Factor on every group's learning rate at a step.

    It rises linearly from 1e-6 to 1 over the warm-up, then falls as the schedule says. `plateau` also
    depends on scores; its factor here is that before any reduction.

    Args:
        step: The number of steps done, from 0.
        total: Steps of the run.
        warmup: Steps of the rise.
        config: The schedule.

    Source:
        After the warm-up as PyTorch's CosineAnnealingLR, StepLR, MultiStepLR and OneCycleLR (one_cycle: its rise is
        its warm-up; momentum stays).
    """
    if config.name == "one_cycle":
        return _one_cycle(step, total, warmup, config)
    rise = _rise(step, warmup)
    if config.name in ("step", "multi_step"):
        return rise * float(config.gamma ** _count_falls(step, config))
    if step < warmup or config.name in ("constant", "plateau"):
        return rise
    left = max(0.0, 1 - (step - warmup) / max(1, total - warmup))
    if config.name == "cosine":
        return config.final + (1 - config.final) * (1 - math.cos(math.pi * left)) / 2
    return float(left**config.power)


def _rise(step: int, warmup: int) -> float:
    """The factor of the warm-up: linear from 1e-6 to 1."""
    return WARMUP_START + (1 - WARMUP_START) * step / warmup if step < warmup else 1.0


def _count_falls(step: int, config: ScheduleConfig) -> int:
    """How often `step` or `multi_step` has reduced the rate so far."""
    if config.name == "step":
        return step // (config.step_size or 1)
    return bisect_right(config.milestones, step)


def _one_cycle(step: int, total: float, rise: int, config: ScheduleConfig) -> float:
    """Half a cosine up over `rise` steps, then half a cosine down to the last step of the run."""
    peak, end = max(0, rise - 1), max(1, total - 1)
    if step < peak:
        return _half_wave(config.start, 1.0, step / peak)
    return _half_wave(1.0, config.final, min(1.0, (step - peak) / max(1, end - peak)))


def _half_wave(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))


class PlateauLR(LambdaLR):
    """Multiply every group's rate by `gamma` when the validation metric has stopped rising.

    Like the other schedules it advances with each optimiser step, for the warm-up; `observe` takes the score of a
    validation. Its state holds numbers only.

    Args:
        optimizer: The optimiser whose rates change.
        config: The schedule.
        warmup: Steps of linear rise at the start.

    Source:
        The rule is that of PyTorch's ReduceLROnPlateau, with mode `max` and a relative threshold.
    """

    STATE = ("last_epoch", "_step_count", "fallen", "best", "waited")

    def __init__(self, optimizer: Optimizer, config: ScheduleConfig, warmup: int) -> None:
        self.config = config
        self.fallen, self.waited = 1.0, 0
        self.best: float | None = None
        super().__init__(
            optimizer, lambda step: self.fallen * rate_factor(step, total=math.inf, warmup=warmup, config=config)
        )

    def observe(self, score: float) -> None:
        """Take the score of a validation, higher being better, and set the rates for the next step.

        Args:
            score: The validation score; NaN counts as no improvement.
        """
        score = -math.inf if math.isnan(score) else score
        if self.best is None or score > self.best + self.config.threshold * abs(self.best):
            self.best, self.waited = score, 0
        else:
            self.waited += 1
        if self.waited > self.config.patience:
            self.fallen, self.waited = max(self.fallen * self.config.gamma, self.config.final), 0
        apply_rates(self)

    def state_dict(self) -> dict[str, Any]:
        """The state saved in a checkpoint, without the options, which come from the recipe."""
        return {
            "lr_lambdas": [],
            **{name: getattr(self, name) for name in self.STATE},
        }  # LambdaLR expects the first key

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Resume from a checkpoint, also from one that was trained with another schedule.

        Args:
            state_dict: What `state_dict` gave, or a LambdaLR's.
        """
        for name in self.STATE:
            setattr(self, name, state_dict.get(name, getattr(self, name)))


def create_schedule(optimizer: Optimizer, config: ScheduleConfig, total: float) -> LambdaLR:
    """The schedule of a recipe.

    Args:
        optimizer: The optimiser whose rates change.
        config: The schedule.
        total: Optimiser steps of the run; infinity if it has no end.

    Raises:
        ConfigError: The run has no end, and the schedule depends on its length.
    """
    if is_library_schedule(config.name):
        return _create_library_schedule(optimizer, config, total)
    if total == math.inf and config.name in WHOLE_RUN:
        raise ConfigError(
            f"schedule {config.name} follows the length of the run, which has no end: set trainer.max_steps or "
            "trainer.max_epochs, or take constant, step, multi_step or plateau"
        )
    if config.name == "one_cycle" and config.warmup_steps is None:
        warmup = int(total * ONE_CYCLE_SHARE)
    else:
        warmup = warmup_length(total, config.warmup_steps)
        _tell_cut(config.warmup_steps, warmup, total)
    if config.name == "plateau":
        return PlateauLR(optimizer, config, warmup)
    return LambdaLR(optimizer, lambda step: rate_factor(step, total=total, warmup=warmup, config=config))


def _create_library_schedule(optimizer: Optimizer, config: ScheduleConfig, total: float) -> LambdaLR:
    """A library's schedule times our warm-up, if one is asked for."""
    factors = library_factors(config.name, config.options or {}, total)
    warmup = warmup_length(total, config.warmup_steps or 0)
    _tell_cut(config.warmup_steps, warmup, total)
    return LambdaLR(optimizer, lambda step: _rise(step, warmup) * factors(step))


def _tell_cut(asked: int | None, warmup: int, total: float) -> None:
    """Log that the warm-up is shorter than the recipe says, for example in a short trial."""
    if asked is not None and warmup < asked:
        rank_zero_only(log.warning)("warm-up: %d steps instead of %d, since the run has %d", warmup, asked, total)


def apply_rates(schedule: LambdaLR) -> None:
    """Set each group's rate to the schedule's value at its current step.

    Args:
        schedule: One that `create_schedule` made.
    """
    factor = schedule.lr_lambdas[0](schedule.last_epoch)
    for group, base in zip(schedule.optimizer.param_groups, schedule.base_lrs, strict=True):
        group["lr"] = base * factor


def renew_settings(optimizer: Optimizer, schedule: LambdaLR, model: nn.Module, config: OptimizerConfig) -> None:
    """Set rates, weight decay, momentum and options from the configuration, replacing what a checkpoint restored.

    Args:
        optimizer: Made by `create_optimizer` for the same model.
        schedule: Made by `create_schedule` for this optimiser.
        model: The network.
        config: What the recipe says now.
    """
    groups = parameter_groups(model, config)
    schedule.base_lrs = [group["lr"] for group in groups]
    for group, wanted in zip(optimizer.param_groups, groups, strict=True):
        group["initial_lr"], group["weight_decay"] = wanted["lr"], wanted["weight_decay"]
        group.update({key: value for key, value in config.settings().items() if key in group})
    apply_rates(schedule)
