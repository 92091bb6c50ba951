"""`foveate.compare`: trains attention blocks side by side from Python."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from foveate.pipeline import cards
from foveate.pipeline.api.overrides import PARTS, flags_of
from foveate.pipeline.commands.compare import CompareOptions
from foveate.pipeline.commands.compare import compare as carry_out
from foveate.pipeline.comparison.table import Result, Row, cells_of, headings, score_row
from foveate.pipeline.startup import import_named, keep_freed_memory, show_log

SHOWN = 5  # columns in a notebook: block, score, gain, time of a step, seeds


@dataclass(frozen=True)
class Comparison:
    """The outcome of a comparison.

    Attributes:
        directory: The folder with the report.
        rows: A block each; the first one is the baseline.
        score: What is compared: mIoU or accuracy.
    """

    directory: Path
    rows: Sequence[Row] = field(repr=False)
    score: str

    def results(self) -> dict[str, Result | None]:
        """The scores of each block by its label; None if no training of it was completed."""
        return {row.label: score_row(row, self.rows[0], self.score) for row in self.rows}

    def _repr_html_(self) -> str:
        """The table for a notebook."""
        rows = [cells_of(row, self.rows[0], self.score)[:SHOWN] for row in self.rows]
        return cards.card(str(self.directory), cards.table(headings(self.score)[:SHOWN], rows))


def compare(recipe: str | Path, blocks: str | Sequence[str] = "", **overrides: Any) -> Comparison:
    """Train a recipe with several attention blocks, as `foveate compare` does; call it again to go on.

    Args:
        recipe: Name of a shipped recipe, or a file.
        blocks: Names of blocks, or one text with commas as the command takes it; the first one is the baseline.
        overrides: `model`, `data` and `trainer` with a mapping each, for all blocks; and options of the command, such
            as `slot="gate"`, `seeds=3`, `steps=300` or `out="comparisons/mine"`.

    Raises:
        ConfigError: There is no such recipe, block, slot or option.
    """
    flags = flags_of({name: value for name, value in overrides.items() if name in PARTS})
    own = {name: value for name, value in overrides.items() if name not in PARTS}
    named = blocks if isinstance(blocks, str) else ",".join(blocks)
    options = parse_own({"recipe": str(recipe), **({"blocks": named} if named else {}), **own})
    keep_freed_memory()
    show_log("foveate.datasets")
    import_named()
    return Comparison(*carry_out(options, flags))


def parse_own(given: dict[str, Any]) -> CompareOptions:
    """Options of the command from arguments, checked as those of a command line are.

    Args:
        given: By name.

    Raises:
        ConfigError: There is no such option, or a value does not fit.
    """
    from foveate.pipeline.command_line import parse_options

    recipe = given.pop("recipe")
    options: CompareOptions = parse_options("foveate compare", CompareOptions, [recipe, *flags_of(given)])
    return options
