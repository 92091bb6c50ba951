"""Creates the metrics that a recipe asks for."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from foveate.pipeline.errors import ConfigError
from foveate.plugins.blocks import RecipeBlock, parse_spec
from foveate.plugins.building import build_module
from foveate.plugins.manager import Plugins, installed_plugins
from foveate.plugins.records import Metric


def create_metrics(specs: Sequence[RecipeBlock], num_classes: int, *, plugins: Plugins | None = None) -> nn.ModuleDict:
    """The metrics of a recipe by their names.

    Args:
        specs: Each a name, or a mapping with `name` and options.
        num_classes: Number of classes.
        plugins: The plugins to search; default: the installed ones.

    Raises:
        ConfigError: A metric is asked for twice.
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
        metrics[offer.record.name] = build_module(offer, num_classes, options=options)
    return metrics
