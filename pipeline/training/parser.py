"""The parser of recipes and flags: a mistake is one line with a hint."""

from __future__ import annotations

import re
from typing import Any, NoReturn

from lightning.pytorch.cli import LightningArgumentParser

from foveate.pipeline.errors import ConfigError
from foveate.plugins.hints import did_you_mean


class RecipeParser(LightningArgumentParser):
    """Raises ConfigError where the stock parser prints its usage and exits."""

    def error(self, message: str, ex: Exception | None = None) -> NoReturn:
        """Turn a parser's message into one line.

        Raises:
            ConfigError: Always.
        """
        raise ConfigError(self._shorten(message)) from ex

    def _shorten(self, message: str) -> str:
        """The part of a message that says what is wrong, with the nearest accepted name."""
        line = re.sub(r"\s+", " ", message).strip()
        if unknown := re.search(r"Unrecognized arguments: (\S+)", line):
            return self._unknown(unknown[1].split("=")[0].lstrip("-"))
        if unknown := re.search(r"(?:does not accept option|Option|Key|key) '([\w.]+)'", line):
            return self._unknown(unknown[1])
        return line if len(line) < 400 else f"{line[:200]} ... {line[-180:]}"

    def _unknown(self, key: str) -> str:
        key = key.replace("init_args.", "")
        return f"no option {key!r}{did_you_mean(key, self._known_options())} (see: foveate fit --help-all)"

    def _known_options(self) -> list[str]:
        own = [action.dest for action in self._actions]
        return own + [f"{group}.{name}" for group, names in self.class_options.items() for name in names]

    class_options: dict[str, list[str]] = {}  # noqa: RUF012  set by the command: options of the recipe's classes

    def parse_args(self, args: Any = None, **kwargs: Any) -> Any:
        """Parse, with every way of failing as a ConfigError."""
        try:
            return super().parse_args(args, **kwargs)
        except ConfigError:
            raise
        except (TypeError, ValueError, KeyError) as error:
            raise ConfigError(self._shorten(str(error))) from error
