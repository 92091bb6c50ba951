"""A data set under test: its class, its folder, and how it is built."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as L

SMALL: Mapping[str, object] = {"batch_size": 2, "num_workers": 0, "seed": 0}  # where the class has these options


class SkippedRuleError(Exception):
    """The rule cannot be tried here; the message says why."""


@dataclass(frozen=True)
class Subject:
    """A data set and how it is built.

    Args:
        kind: Its class.
        root: Its folder; None where none is at hand.
        options: Options of the class, as in a recipe.
    """

    kind: type[L.LightningDataModule]
    root: Path | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def takes(self, name: str) -> bool:
        """Whether the class has an option of this name."""
        parameters = inspect.signature(self.kind).parameters
        return name in parameters or any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    def build(self, **changes: object) -> Any:
        """A data module, small and with the given options.

        Args:
            **changes: Options that win over the others.
        """
        root = {} if self.root is None else {"root": str(self.root)}
        usual = {name: value for name, value in {**root, **SMALL}.items() if self.takes(name)}
        return self.kind(**{**usual, **self.options, **changes})

    def set_up(self) -> Any:
        """A data module whose train and val splits were found.

        Raises:
            SkippedRuleError: The data is not at hand.
        """
        if self.root is None and self.takes("root") and "root" not in self.options:
            raise SkippedRuleError("needs the data: give --root DIR")
        data = self.build()
        data.setup("fit")
        return data
