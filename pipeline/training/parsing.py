"""Parses a recipe with its flags as `fit` does, and builds nothing."""

from __future__ import annotations

from typing import Any

from jsonargparse import Namespace

from foveate.pipeline.training.lightning_cli import FoveateCLI
from foveate.pipeline.training.request import Request


class _Parsed(FoveateCLI):
    """The settings alone."""

    def _set_seed(self) -> None:
        """Leave the generators as they are."""

    def before_instantiate_classes(self) -> None:
        """Leave the settings as they were written."""

    def instantiate_classes(self) -> None:
        """Build nothing."""


def parse_settings(request: Request) -> str:
    """The same as YAML.

    Args:
        request: The command line, taken apart.

    Raises:
        ConfigError: An option does not exist, or its value has the wrong type.
    """
    parsed: Any = _Parsed(request)
    with parsed.gate():
        text: str = parsed.parser.dump(parsed.config, skip_link_targets=True, skip_unset=False)
    return text


def parse_only(request: Request) -> Namespace:
    """The settings of a command line, with all defaults filled in.

    Args:
        request: The command line, taken apart.

    Raises:
        ConfigError: An option does not exist, or its value has the wrong type.
    """
    settings: Any = _Parsed(request).config
    assert isinstance(settings, Namespace)
    return settings
