"""The parser of recipes and flags: a mistake is one line with a hint."""

from __future__ import annotations

from typing import NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from foveate.pipeline.command_line import shorten
from foveate.pipeline.errors import ConfigError

HELP = "foveate fit --help-all"


class RecipeParser(LightningArgumentParser):
    """Raises ConfigError where the stock parser prints its usage and exits."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Turn a parser's message into one line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(shorten(message, self.known_options(), HELP)) from ex

    def known_options(self) -> list[str]:
        """Every option, as typed."""
        return [option for action in self._actions for option in action.option_strings]
