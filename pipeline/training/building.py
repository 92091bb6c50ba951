"""Builds Lightning's objects; what their constructors refuse becomes a one-line configuration error."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import lightning.pytorch as L
import torch
from jsonargparse import Namespace, add_instantiator
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import Accelerator, AcceleratorRegistry
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, ProgressBar
from lightning.pytorch.loggers import Logger
from lightning.pytorch.profilers import Profiler
from lightning.pytorch.strategies import Strategy, StrategyRegistry

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import did_you_mean

REFUSALS = (MisconfigurationException, ValueError, TypeError, ImportError, RuntimeError, AttributeError, OSError)
Built = TypeVar("Built")
BUILT: tuple[type, ...] = (Callback, Logger, Strategy, Accelerator, Profiler)


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an error of Lightning's constructors into a ConfigError.

    Args:
        what: The name of what is being built.

    Raises:
        ConfigError: Lightning refuses the arguments; an error with its own exit code is raised as it is.
    """
    try:
        yield
    except REFUSALS as error:
        if hasattr(error, "exit_code"):
            raise
        raise ConfigError(f"{what}: {_reason(error)}") from error


def _reason(error: BaseException) -> str:
    """Lightning's message in one line, with advice."""
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, ModuleNotFoundError):
        missing = error.name or (text.split("'")[1] if "'" in text else "")
        advice = f"; try: pip install {missing}" if missing and "pip install" not in text else ""
        return f"needs a package that is not installed: {text}{advice}"
    if invalid := re.search(r"invalid (accelerator|strategy) name: `\w+='([^']*)'`", text):
        return _invalid(*invalid.groups())
    return text if len(text) < 400 else f"{text[:397]}..."


def _invalid(option: str, given: str) -> str:
    """What to say of an accelerator or strategy that does not exist."""
    registry: Any = AcceleratorRegistry if option == "accelerator" else StrategyRegistry
    known = ["auto", *registry.available_accelerators()] if option == "accelerator" else registry.available_strategies()
    names = ["gpu", *known] if option == "accelerator" else known
    return f"no {option} {given!r}{did_you_mean(given, names)} (accepted: {', '.join(sorted(names))})"


def explain_constructors() -> None:
    """Make jsonargparse build callbacks, loggers and other parts of a trainer inside `explained`."""
    for base in BUILT:
        add_instantiator(_build, base, subclasses=True)


def _build(class_type: type[Built], *args: Any, **kwargs: Any) -> Built:
    with explained(class_type.__name__):
        return class_type(*args, **kwargs)


def name_devices(node: Any) -> Any:
    """Replace `torch.device` by its name: it is a default of one of Lightning's callbacks, and YAML cannot hold it.

    Args:
        node: Parsed settings, or a part of them; changed in place.
    """
    if isinstance(node, torch.device):
        return str(node)
    if isinstance(node, list):
        return [name_devices(child) for child in node]
    if isinstance(node, Namespace):
        for key, value in vars(node).items():
            setattr(node, key, name_devices(value))
    return node


class OwnCheckpoint(ModelCheckpoint):
    """A `ModelCheckpoint` that the recipe asks for.

    It has its own class because Lightning stores the state of callbacks by class and settings, and ours may have the
    same settings.
    """


def beside_ours(given: Sequence[Callback], ours: Sequence[Callback]) -> list[Callback]:
    """The callbacks of a recipe and our own, without conflicts.

    A progress bar of the recipe replaces ours.

    Args:
        given: The callbacks of the recipe.
        ours: The callbacks of every run.
    """
    for callback in given:
        if type(callback) is ModelCheckpoint:
            callback.__class__ = OwnCheckpoint
    if any(isinstance(callback, ProgressBar) for callback in given):
        ours = [callback for callback in ours if not isinstance(callback, ProgressBar)]
    return [*ours, *given]


def check_monitors(trainer: L.Trainer, task: Any) -> None:
    """Check before training that the monitored metrics exist; Lightning would check after the first validation.

    Args:
        trainer: The trainer with its callbacks.
        task: The task, which defines the logged metrics.

    Raises:
        ConfigError: A callback monitors a metric that is not logged.
    """
    known = monitored_names(task)
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        name = getattr(callback, "monitor", None)
        if isinstance(name, str) and name not in known and not name.startswith("val/iou/"):
            kind = "ModelCheckpoint" if isinstance(callback, OwnCheckpoint) else type(callback).__name__
            raise ConfigError(f"{kind}: no metric {name!r}{did_you_mean(name, known)} (known: {', '.join(known)})")


def monitored_names(task: Any) -> list[str]:
    """The metrics that a task logs in training and validation.

    Args:
        task: A SegmentationTask or ClassificationTask.
    """
    own = ("miou", "macc", "aacc") if task.monitor == "val/miou" else ("acc", "acc5", "macc", "calibration_error")
    extra = [str(name) for name in getattr(task, "reported", {})]
    return ["train/loss", "train/lr", *(f"val/{name}" for name in ("loss", *own, *extra))]
