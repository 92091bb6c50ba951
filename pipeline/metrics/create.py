"""Creates the metrics that a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.plugins.blocks import RecipeBlock, parse_spec
from foveate.plugins.building import build_module
from foveate.plugins.manager import Plugins, installed_plugins
from foveate.plugins.records import Metric

ALL = "all"  # in a recipe: every figure below
MEANT = {
    "segmentation": ("dice", "boundary", "boundary_f", "by_size", "by_distance", "by_row", "calibration"),
    "classification": ("f1", "top_k", "calibration"),
}


def expand_metrics(specs: Sequence[RecipeBlock], task: str) -> list[RecipeBlock]:
    """The metrics of a recipe with the word `all` replaced by Foveate's own, without those that are named beside it.

    Args:
        specs: Each a name, or a mapping with `name` and options.
        task: segmentation or classification.

    Example:
        >>> expand_metrics(["all", {"name": "top_k", "k": [2]}], "classification")
        ['f1', 'calibration', {'name': 'top_k', 'k': [2]}]
    """
    named = [spec for spec in specs if spec != ALL]
    if len(named) == len(specs):
        return named
    known = {parse_spec(spec)[0] for spec in named}
    return [*(name for name in MEANT[task] if name not in known), *named]


def create_metrics(
    specs: Sequence[RecipeBlock], num_classes: int, *, task: str = "", plugins: Plugins | None = None
) -> nn.ModuleDict:
    """The metrics of a recipe by their names.

    Args:
        specs: Each a name, or a mapping with `name` and options.
        num_classes: Number of classes.
        task: segmentation or classification; empty for either.
        plugins: The plugins to search; default: the installed ones.

    Raises:
        ConfigError: A metric is asked for twice, or is for another task.
        PluginError: A metric or an option is unknown, or a plugin fails.

    Example:
        >>> list(create_metrics(["calibration_error"], num_classes=10))
        ['calibration_error']
    """
    metrics = nn.ModuleDict()
    for spec in specs:
        name, options = parse_spec(spec)
        offer = (plugins or installed_plugins()).find(name, Metric)
        if offer.record.name in metrics:
            raise ConfigError(f"metrics: {offer.record.name} is asked for twice")
        if task and offer.record.task not in ("", task):
            raise ConfigError(f"metrics: {name} is for {offer.record.task}, and this recipe is for {task}")
        metrics[offer.record.name] = build_module(offer, num_classes, options=options)
    return metrics
