"""The parser of recipes and flags: a mistake is one line with a hint."""

from __future__ import annotations

from typing import Any, NoReturn

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
        raise ConfigError(shorten(message, self._known_options(), HELP)) from ex

    def parse_args(self, args: Any = None, **kwargs: Any) -> Any:
        """Parse, with every way of failing as a ConfigError."""
        try:
            return super().parse_args(args, **kwargs)
        except (TypeError, ValueError, KeyError) as error:
            raise ConfigError(shorten(str(error), self._known_options(), HELP)) from error

    def _known_options(self) -> list[str]:
        return [option for action in self._actions for option in action.option_strings]
