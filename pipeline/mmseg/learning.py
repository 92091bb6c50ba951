"""Optimiser, schedule and trainer of a recipe from `optim_wrapper`, `param_scheduler` and the loops."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from foveate.pipeline.mmseg.settings import Settings, shorten

WRAPPER = "optim_wrapper"
OPTIMIZER = f"{WRAPPER}.optimizer"
NORMS = {"norm": {"decay_mult": 0.0}}
START = 1e-6  # factor on the learning rate at the first step of a warm-up here
Options = dict[str, Any]


def carry_optimizer(settings: Settings) -> Options:
    """The optimiser in the words of a recipe.

    Args:
        settings: The config.
    """
    kind = str(settings.need(f"{OPTIMIZER}.type"))
    found: Options = {"name": kind.lower() if kind in ("AdamW", "SGD") else f"torch:{kind}"}
    found["lr"] = settings.need(f"{OPTIMIZER}.lr")
    found["weight_decay"] = settings.take(f"{OPTIMIZER}.weight_decay", 0.01 if kind == "AdamW" else 0.0)
    found["decoder_lr_multiplier"] = _carry_groups(settings)
    if kind == "SGD":
        found["momentum"] = settings.take(f"{OPTIMIZER}.momentum", 0.0)
    betas = settings.take(f"{OPTIMIZER}.betas", [0.9, 0.999])
    if kind == "AdamW" and betas != [0.9, 0.999]:
        found["options"] = {"betas": betas}
    return found


def _carry_groups(settings: Settings) -> float:
    """The learning rate of the decoder as a multiple, from `paramwise_cfg`."""
    groups = f"{WRAPPER}.paramwise_cfg"
    found, spared = 1.0, False
    settings.pass_over(groups)
    keys = settings.find(f"{groups}.custom_keys")
    custom = keys.plain() if keys is not None else {}
    for name, given in custom.items():
        if name in ("head", "decode_head", "decode_head.") and set(given) <= {"lr_mult"}:
            found = float(given.get("lr_mult", 1.0))
        elif {name: given} == NORMS:
            spared = True
        elif name != "pos_block":  # of no parameter of MSCAN
            settings.tell(
                f"{groups}.custom_keys.{name}", f"custom_keys {name!r}: {shorten(given)} has no counterpart here"
            )
    paramwise = settings.find(groups)
    others = paramwise.plain() if paramwise is not None else {}
    for name, given in others.items():
        if name == "norm_decay_mult" and given == 0:
            spared = True
        elif name != "custom_keys":
            settings.tell(f"{groups}.{name}", f"paramwise_cfg {name} = {shorten(given)} has no counterpart here")
    if not spared:
        settings.tell(groups, "mmseg decays the weights of norms here; this project's optimisers never do")
    return found


def carry_schedule(settings: Settings, base_rate: float) -> Options:
    """The schedule in the words of a recipe.

    Args:
        settings: The config.
        base_rate: Learning rate that a lower bound is a share of.
    """
    found: Options = {"name": "constant", "warmup_steps": 0}
    for path, given in list(settings.items("param_scheduler")):
        kind = given.get("type")
        settings.pass_over(path)
        if kind in ("LinearLR", "ConstantLR"):
            found["warmup_steps"] = _warmup(settings, path, given)
        elif kind == "PolyLR":
            found |= {"name": "poly", "power": given.get("power", 1.0)}
            if given.get("eta_min"):
                settings.tell(f"{path}.eta_min", f"eta_min = {given['eta_min']}: poly ends at 0 here")
        elif kind == "CosineAnnealingLR":
            found |= {"name": "cosine", "final": given.get("eta_min", 0.0) / base_rate}
        elif kind == "MultiStepLR":
            found |= {"name": "multi_step", "milestones": given.get("milestones", []), "gamma": given.get("gamma", 0.1)}
        else:
            settings.tell(path, f"{kind} has no counterpart here; see docs/from-mmseg.md")
    return found


def _warmup(settings: Settings, path: str, given: Mapping[str, Any]) -> int:
    if given.get("by_epoch", True) or given.get("type") == "ConstantLR":
        settings.tell(path, "the warm-up is linear and counted in steps here: set schedule.warmup_steps")
        return 0
    if (start := given.get("start_factor", 1 / 3)) != START:
        settings.tell(
            f"{path}.start_factor", f"the warm-up starts at {START} of the learning rate here, not at {start}"
        )
    return int(given.get("end", 0)) - int(given.get("begin", 0))


def carry_trainer(settings: Settings) -> Options:
    """The trainer's settings in the words of a recipe.

    Args:
        settings: The config.
    """
    found: Options = {}
    every = settings.take("train_cfg.val_interval", 1)
    settings.pass_over("train_cfg.type", "train_cfg.val_begin")
    if (epochs := settings.take("train_cfg.max_epochs")) is not None:
        found |= {"max_epochs": epochs, "check_val_every_n_epoch": every}
    else:
        found["max_steps"] = settings.need("train_cfg.max_iters")
    found["precision"] = (
        "16-mixed" if settings.take(f"{WRAPPER}.type", "OptimWrapper") == "AmpOptimWrapper" else "32-true"
    )
    settings.pass_over(f"{WRAPPER}.loss_scale", f"{WRAPPER}.dtype")
    accumulated = settings.take(f"{WRAPPER}.accumulative_counts", 1)
    if accumulated != 1:
        found["accumulate_grad_batches"] = accumulated
    if clip := settings.take(f"{WRAPPER}.clip_grad"):
        found["gradient_clip_val"] = clip.get("max_norm", clip.get("clip_value"))
        if "clip_value" in clip:
            found["gradient_clip_algorithm"] = "value"
    if "SyncBN" in (settings.take("model.backbone.norm_cfg.type"), settings.take("norm_cfg.type")):
        found["sync_batchnorm"] = True
    if epochs is None:
        found |= {"val_check_interval": every, "check_val_every_n_epoch": None}
    return found
