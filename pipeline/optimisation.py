"""Optimiser groups and learning-rate schedules."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from torch import nn
from torch.optim import SGD, AdamW, Optimizer
from torch.optim.lr_scheduler import LambdaLR

WARMUP_SHARE = 0.1  # of the run, unless said
WARMUP_START = 1e-6  # factor on the learning rate at the first step


@dataclass(frozen=True)
class OptimizerConfig:
    """How weights are updated.

    Args:
        name: `adamw` or `sgd`.
        lr: Learning rate of the encoder.
        weight_decay: For all parameters but those of norms.
        decoder_lr_multiplier: Learning rate of everything outside the encoder, as a multiple of `lr`.
        momentum: For sgd; the first beta of adamw.
    """

    name: Literal["adamw", "sgd"] = "adamw"
    lr: float = 6e-5
    weight_decay: float = 0.01
    decoder_lr_multiplier: float = 10.0
    momentum: float = 0.9


@dataclass(frozen=True)
class ScheduleConfig:
    """How the learning rate changes, step by step.

    Args:
        name: `poly` falls from 1 to 0 by a power of what is left; `constant` stays.
        power: Of `poly`.
        warmup_steps: Steps of linear rise at the start; by default 1500, but at most a tenth of the run.
    """

    name: Literal["poly", "constant"] = "poly"
    power: float = 1.0
    warmup_steps: int | None = None


def parameter_groups(model: nn.Module, config: OptimizerConfig) -> list[dict[str, Any]]:
    """Up to four groups: encoder and the rest, each with and without decay.

    No decay for parameters whose name has `norm`; everything outside `model.encoder` learns faster.

    Source:
        The official SegNeXt recipe (arXiv:2209.08575, section 4.1).
    """
    groups: dict[tuple[bool, bool], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        in_encoder, is_norm = name.startswith("encoder."), "norm" in name
        settings = {
            "name": ("encoder" if in_encoder else "decoder") + ("_norm" if is_norm else ""),
            "lr": config.lr * (1.0 if in_encoder else config.decoder_lr_multiplier),
            "weight_decay": 0.0 if is_norm else config.weight_decay,
        }
        groups.setdefault((in_encoder, is_norm), {"params": [], **settings})["params"].append(parameter)
    return list(groups.values())


def create_optimizer(model: nn.Module, config: OptimizerConfig) -> Optimizer:
    """The optimiser of a recipe over the groups of `parameter_groups`."""
    groups = parameter_groups(model, config)
    if config.name == "sgd":
        return SGD(groups, lr=config.lr, momentum=config.momentum)
    return AdamW(groups, lr=config.lr, betas=(config.momentum, 0.999), fused=True)


def warmup_length(total: int, asked: int | None) -> int:
    """Steps of warm-up in a run of `total` steps.

    Example:
        >>> warmup_length(160_000, None), warmup_length(500, None), warmup_length(500, 1500)
        (1500, 50, 499)
    """
    wanted = min(1500, int(total * WARMUP_SHARE)) if asked is None else asked
    return max(0, min(wanted, total - 1))


def rate_factor(step: int, *, total: int, warmup: int, config: ScheduleConfig) -> float:
    """Factor on every group's learning rate at a step, counted from 0.

    It rises linearly from 1e-6 to 1 over the warm-up, then falls as the schedule says.
    """
    if step < warmup:
        return WARMUP_START + (1 - WARMUP_START) * step / warmup
    if config.name == "constant":
        return 1.0
    left = max(0.0, 1 - (step - warmup) / max(1, total - warmup))
    return float(left**config.power)


def create_schedule(optimizer: Optimizer, config: ScheduleConfig, total: int) -> LambdaLR:
    """The schedule of a recipe, for a run of `total` optimiser steps."""
    warmup = warmup_length(total, config.warmup_steps)
    return LambdaLR(optimizer, lambda step: rate_factor(step, total=total, warmup=warmup, config=config))


def renew_settings(optimizer: Optimizer, schedule: LambdaLR, model: nn.Module, config: OptimizerConfig) -> None:
    """Take rates and decay from the configuration, where a loaded checkpoint brought those it was saved with."""
    groups = parameter_groups(model, config)
    schedule.base_lrs = [group["lr"] for group in groups]
    factor = schedule.lr_lambdas[0](schedule.last_epoch)
    for group, wanted in zip(optimizer.param_groups, groups, strict=True):
        group["initial_lr"], group["lr"] = wanted["lr"], wanted["lr"] * factor
        group["weight_decay"] = wanted["weight_decay"]
